//! The API server as an executor sees it whose client changes its answers.

use bytes::Bytes;
use executor::ports::Ports;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use sim::world::ConnectionCut;
use sim_exchange::World;
use tower::ServiceExt as _;

/// The namespace of the exchange.
pub const NAMESPACE: &str = "dex-production";

/// The body of an answer.
pub type Body = UnsyncBoxBody<Bytes, ConnectionCut>;

/// Ports whose API server's whole answers, not its watches, are seen as `edit` has them: it is given the request's URI
/// and the answer.
pub fn kube_edited(
    world: &World,
    ports: Ports,
    edit: impl Fn(&str, Response<Bytes>) -> Response<Bytes> + Clone + Send + Sync + 'static,
) -> Ports {
    let inner = world.kube("executor");
    let service = tower::service_fn(move |request: Request<kube::client::Body>| {
        let (inner, edit, uri) = (inner.clone(), edit.clone(), request.uri().to_string());
        async move {
            let (parts, body) = inner.oneshot(request).await?.into_parts();
            if uri.contains("watch=true") {
                let body: Body = body.boxed_unsync();
                return Ok::<_, ConnectionCut>(Response::from_parts(parts, body));
            }
            let whole = body.collect().await?.to_bytes();
            let (parts, bytes) = edit(&uri, Response::from_parts(parts, whole)).into_parts();
            let body: Body = Full::new(bytes)
                .map_err(|never| match never {})
                .boxed_unsync();
            Ok(Response::from_parts(parts, body))
        }
    });
    Ports {
        kube: kube::Client::new(service, NAMESPACE),
        ..ports
    }
}
