//! What a gateway reads from the matching engine before it is ready: the list of markets, in a form that both know.

use std::time::{Duration, Instant};

use axum::body::{Body, to_bytes};
use axum::http::{Request as HttpRequest, StatusCode};

use super::{ANSWER_MAX, Door};
use crate::release::{Build, MarketList};
use crate::service::api::Markets;
use crate::service::clock;

/// How long the engine may take to answer.
const ANSWER: Duration = Duration::from_secs(1);
/// Between two attempts where the engine answers and has no list that the build can read.
const NEXT_LOOK: Duration = Duration::from_secs(1);

/// What came of one attempt to read a list.
enum Read {
    Markets(usize),
    /// The engine answers, and has no list in this form.
    NotServed,
    /// The engine doesn't answer, or not now.
    NoAnswer,
}

impl Door {
    /// Returns once the process may be ready. Where the engine doesn't answer, that is at once: that an engine is away
    /// is no reason to take the gateways away as well.
    pub(super) async fn read_markets(&self, build: Build, own: usize) {
        let mut told = false;
        loop {
            match self.any_list(build.market_lists).await {
                Read::Markets(count) if count == own => return,
                Read::Markets(count) => {
                    let text =
                        format!("{own} markets are set, and the matching engine has {count}");
                    return self.log.warn(&text);
                }
                Read::NoAnswer => return self.log.warn("the matching engine tells no markets yet"),
                Read::NotServed => {}
            }
            if !std::mem::replace(&mut told, true) {
                let paths: Vec<_> = build.market_lists.iter().map(|it| it.path()).collect();
                self.log.warn(&format!(
                    "not ready: the matching engine serves no list of markets at {}",
                    paths.join(" or ")
                ));
            }
            clock::sleep(NEXT_LOOK).await;
        }
    }

    async fn any_list(&self, lists: &[MarketList]) -> Read {
        for list in lists {
            match self.list(*list, clock::now() + ANSWER).await {
                Read::NotServed => {}
                read => return read,
            }
        }
        Read::NotServed
    }

    async fn list(&self, list: MarketList, deadline: Instant) -> Read {
        let uri = format!("http://{}{}", self.service, list.path());
        let Ok(request) = HttpRequest::get(uri).body(Body::empty()) else {
            return Read::NoAnswer;
        };
        let Some(Ok(response)) = clock::by(deadline, self.client.request(request)).await else {
            return Read::NoAnswer;
        };
        match response.status() {
            StatusCode::NOT_FOUND => return Read::NotServed,
            StatusCode::OK => {}
            _ => return Read::NoAnswer,
        }
        let body = to_bytes(Body::new(response.into_body()), ANSWER_MAX);
        let Some(Ok(body)) = clock::by(deadline, body).await else {
            return Read::NoAnswer;
        };
        let markets = match list {
            MarketList::V1 => serde_json::from_slice::<Vec<u16>>(&body).ok(),
            MarketList::V2 => serde_json::from_slice::<Markets>(&body)
                .ok()
                .map(|it| it.markets),
        };
        markets.map_or(Read::NoAnswer, |it| Read::Markets(it.len()))
    }
}
