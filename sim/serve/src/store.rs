//! What requests about the application's data store mean: only the application knows.

use bytes::Bytes;
use sim::Application;
use sim::application::Done;

/// Reads requests below `/firedrill/v1/store/` as operations of an application's data store, and writes their answers.
pub trait Store<A: Application> {
    /// The operation that `request` asks for.
    ///
    /// # Errors
    /// The answer to a request that asks for none.
    #[expect(
        clippy::result_large_err,
        reason = "the answer to a wrong request is an answer like any other"
    )]
    fn operation(
        &self,
        request: &http::Request<Bytes>,
    ) -> Result<A::Operation, http::Response<Bytes>>;

    /// The answer to an operation that is done.
    fn answer(&self, done: Done<A::Operation>) -> http::Response<Bytes>;
}

/// The store of an application that lets nobody at it.
#[derive(Clone, Copy, Debug)]
pub struct Closed;

impl<A: Application> Store<A> for Closed {
    fn operation(&self, _: &http::Request<Bytes>) -> Result<A::Operation, http::Response<Bytes>> {
        Err(plain(
            404,
            "this application has no data store\n".to_owned(),
        ))
    }

    fn answer(&self, done: Done<A::Operation>) -> http::Response<Bytes> {
        let status = if done.is_ok() { 200 } else { 500 };
        plain(status, String::new())
    }
}

/// An answer in plain text.
pub(crate) fn plain(status: u16, text: String) -> http::Response<Bytes> {
    let mut response = http::Response::new(Bytes::from(text));
    *response.status_mut() =
        http::StatusCode::from_u16(status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    let of_type = http::HeaderValue::from_static("text/plain; charset=utf-8");
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, of_type);
    response
}
