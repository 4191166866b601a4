//! What went wrong with a call to the API server, said once and in words: the client's own texts say it up to three
//! times, the last time as a Rust value.

use std::error::Error;

/// `error` for a reader.
#[must_use]
pub fn in_words(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => {
            let mut text = format!("the API server answered {}", status.code);
            for (before, part) in [(" ", &status.reason), (": ", &status.message)] {
                if !part.is_empty() {
                    text.push_str(before);
                    text.push_str(part);
                }
            }
            text
        }
        kube::Error::Service(cause) => told_once(cause.as_ref()),
        kube::Error::HyperError(cause) => told_once(cause),
        other => told_once(other),
    }
}

/// `error` and its causes in one line, without those that the text tells already.
pub(crate) fn told_once(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let (part, rest) = match client_error(error) {
            Some(error) => (in_words(error), None),
            None => (error.to_string(), error.source()),
        };
        if !text.contains(&part) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&part);
        }
        next = rest;
    }
    text
}

/// The client's error that `error` is, if it is one and has words of its own.
fn client_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a kube::Error> {
    let boxed = error.downcast_ref::<Box<kube::Error>>().map(AsRef::as_ref);
    let error = boxed.or_else(|| error.downcast_ref::<kube::Error>());
    let worded = |it: &&kube::Error| {
        matches!(
            it,
            kube::Error::Api(_) | kube::Error::Service(_) | kube::Error::HyperError(_)
        )
    };
    error.filter(worded)
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::{in_words, told_once};
    use crate::error::Error;

    fn api() -> kube::Error {
        kube::Error::Api(Box::new(Status {
            code: 503,
            reason: "ServiceUnavailable".to_owned(),
            message: "apiserver not ready".to_owned(),
            ..Status::default()
        }))
    }

    #[test]
    fn an_answer_is_told_once_and_not_as_a_rust_value() {
        let words = "the API server answered 503 ServiceUnavailable: apiserver not ready";
        assert_eq!(in_words(&api()), words);
        let error = Error::Kubernetes {
            what: "read gateway".to_owned(),
            source: Box::new(api()),
        };
        assert_eq!(error.chain(), format!("could not read gateway: {words}"));
        let bare = kube::Error::Api(Box::new(Status {
            code: 429,
            ..Status::default()
        }));
        assert_eq!(in_words(&bare), "the API server answered 429");
    }

    #[test]
    fn a_cause_that_its_error_tells_already_is_not_told_again() {
        let cut = kube::Error::Service("connection closed".into());
        assert_eq!(in_words(&cut), "connection closed");
        let utf8 = String::from_utf8(vec![0xff]).expect_err("no UTF-8");
        let cause = utf8.to_string();
        let text = told_once(&kube::Error::FromUtf8(utf8));
        assert_eq!(text.matches(&cause).count(), 1, "{text}");
    }
}
