//! Which answers are worth another try, and when.

use std::time::Duration;

/// What an error calls for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// The same request may succeed later; not before `after`, if the server said so.
    Retry {
        /// The server's wish.
        after: Option<Duration>,
    },
    /// Repeating it does not help.
    Final,
}

const FIRST: Duration = Duration::from_millis(100);
const MAX: Duration = Duration::from_secs(3);

/// How long 401 and 403 are taken for those of a server that has just been started.
pub(crate) const BEGINNER: Duration = Duration::from_secs(30);

/// 429 and 5xx may pass, as may anything that kept the answer from arriving whole, and what a server says that has just
/// been started ([`is_of_a_beginner`]).
pub(crate) fn classify(error: &kube::Error) -> Class {
    match error {
        kube::Error::Api(status) => match status.code {
            429 => {
                let wish = status
                    .details
                    .as_ref()
                    .map_or(0, |details| details.retry_after_seconds);
                // The server's priority and fairness refuses in plain text, and the client loses its header.
                Class::Retry {
                    after: Some(Duration::from_secs(u64::from(wish.max(1)))),
                }
            }
            500 | 502 | 503 | 504 => {
                let wish = status
                    .details
                    .as_ref()
                    .map_or(0, |details| details.retry_after_seconds);
                Class::Retry {
                    after: (wish > 0).then(|| Duration::from_secs(u64::from(wish))),
                }
            }
            401 | 403 => Class::Retry { after: None },
            _ => Class::Final,
        },
        kube::Error::Service(_)
        | kube::Error::HyperError(_)
        | kube::Error::ReadEvents(_)
        | kube::Error::SerdeError(_)
        | kube::Error::FromUtf8(_) => Class::Retry { after: None },
        _ => Class::Final,
    }
}

/// Whether a server that has just been started may answer so for a moment: it listens before it has read the accounts
/// and their rights, and until then knows nobody (401) or lets nobody do anything (403). Whoever asks first need not
/// have seen the restart, so such an answer is final only once it has been the same for [`BEGINNER`].
pub(crate) fn is_of_a_beginner(error: &kube::Error) -> bool {
    is_status(error, 401) || is_status(error, 403)
}

/// Whether the API server itself throttled, or the connection to it broke: not an answer that a pod behind it may have
/// caused.
pub(crate) fn is_lost(error: &kube::Error) -> bool {
    is_status(error, 429) || matches!(error, kube::Error::Service(_) | kube::Error::HyperError(_))
}

/// Whether it was the pod behind the API server's proxy that did not serve: the server could not reach it (the words
/// are those of `Transport.RoundTrip` in `k8s.io/apimachinery`, `pkg/util/proxy/transport.go`), or the pod itself
/// answered that it can't. A server that fails by itself answers with a `Status`; the page of a pod is none, which
/// kube-rs tells by the reason.
pub(crate) fn is_of_the_pod(error: &kube::Error) -> bool {
    let kube::Error::Api(status) = error else {
        return false;
    };
    let own_page = status.reason == "Failed to parse error data";
    status.code >= 500 && (own_page || status.message.starts_with("error trying to reach service"))
}

/// Pause before attempt `attempt` + 1 (from 1): what the server wishes, or 100 ms doubled up to 3 s. No jitter: one
/// executor acts at a time.
pub(crate) fn pause(attempt: u32, after: Option<Duration>) -> Duration {
    let own = FIRST
        .saturating_mul(1 << attempt.saturating_sub(1).min(5))
        .min(MAX);
    after.unwrap_or(own)
}

/// Pause before another try, if one may help.
pub(crate) fn retry_pause(error: &kube::Error, attempt: u32) -> Option<Duration> {
    match classify(error) {
        Class::Retry { after } => Some(pause(attempt, after)),
        Class::Final => None,
    }
}

/// Whether the server answered with this HTTP status.
pub(crate) fn is_status(error: &kube::Error, code: u16) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == code)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use kube::core::Status;
    use kube::core::response::StatusDetails;

    use super::{Class, classify, is_of_a_beginner, is_of_the_pod, pause};

    fn api(code: u16, wish: u32) -> kube::Error {
        let details = StatusDetails {
            name: String::new(),
            group: String::new(),
            kind: String::new(),
            uid: String::new(),
            causes: Vec::new(),
            retry_after_seconds: wish,
        };
        kube::Error::Api(Box::new(Status {
            code,
            details: Some(details),
            ..Status::default()
        }))
    }

    #[test]
    fn a_pod_that_does_not_serve_is_told_from_a_server_that_fails() {
        let answered = |code: u16, reason: &str, message: &str| {
            kube::Error::Api(Status::failure(message, reason).with_code(code).boxed())
        };
        let refused =
            "error trying to reach service: dial tcp 10.0.0.1:8080: connect: connection refused";
        let own_page = "Failed to parse error data";
        assert!(is_of_the_pod(&answered(503, "ServiceUnavailable", refused)));
        assert!(is_of_the_pod(&answered(503, own_page, "starting")));
        for not_so in [
            answered(503, "ServiceUnavailable", "the server is starting"),
            answered(500, "InternalError", "etcdserver: request timed out"),
            answered(404, own_page, "404 page not found"),
        ] {
            assert!(!is_of_the_pod(&not_so), "{not_so}");
        }
    }

    #[test]
    fn what_is_repeated() {
        assert_eq!(
            classify(&api(429, 7)),
            Class::Retry {
                after: Some(Duration::from_secs(7))
            }
        );
        assert_eq!(
            classify(&api(429, 0)),
            Class::Retry {
                after: Some(Duration::from_secs(1))
            }
        );
        for code in [500, 502, 503, 504] {
            assert_eq!(classify(&api(code, 0)), Class::Retry { after: None });
        }
        for code in [400, 404, 409, 410, 422] {
            assert_eq!(classify(&api(code, 0)), Class::Final);
        }
        for code in [401, 403] {
            assert_eq!(classify(&api(code, 0)), Class::Retry { after: None });
            assert!(is_of_a_beginner(&api(code, 0)));
        }
        assert!(!is_of_a_beginner(&api(404, 0)));
        assert_eq!(
            classify(&kube::Error::Service("cut".into())),
            Class::Retry { after: None }
        );
    }

    #[test]
    fn pauses_grow_to_a_limit_and_heed_the_server() {
        let pauses: Vec<u128> = (1..=7).map(|n| pause(n, None).as_millis()).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 3000, 3000]);
        for attempt in [1, 7] {
            let wish = Duration::from_secs(1);
            assert_eq!(pause(attempt, Some(wish)), wish);
        }
    }
}
