//! A bounded load: a fixed list of orders, sent by a few clients at once.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use dex::service::api::{OrderReply, OrderRequest};
use dex::types::{AccountId, MarketId, Price, Qty, Side, Tif};
use futures::future::join_all;

use crate::process::{Answer, Http};

/// Clients at once.
const CLIENTS: usize = 8;

/// What came of a load.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) acknowledged: Vec<(OrderRequest, OrderReply)>,
    /// Answers other than 200.
    pub(crate) refused: Vec<Answer>,
    /// Connections that broke.
    pub(crate) broken: Vec<String>,
}

impl Outcome {
    pub(crate) fn trades(&self) -> usize {
        self.acknowledged.iter().map(|(_, r)| r.trades.len()).sum()
    }

    /// Fails if anything was not accepted.
    pub(crate) fn is_clean(&self) {
        assert_eq!(self.refused, [], "refused");
        assert_eq!(self.broken, [] as [String; 0], "broken");
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.acknowledged.extend(other.acknowledged);
        self.refused.extend(other.refused);
        self.broken.extend(other.broken);
    }
}

/// Request `id`: an order near the middle of the band, so that many meet another one.
pub(crate) fn order(id: u64) -> OrderRequest {
    let draw = id.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
    let command = dex::Command::Place {
        account: AccountId((draw % 40) as u32),
        market: MarketId((id % 2) as u16),
        side: if draw >> 8 & 1 == 0 {
            Side::Buy
        } else {
            Side::Sell
        },
        price: Price(10_048 + (draw >> 12) as i64 % 7 - 3),
        qty: Qty(1 + (draw >> 18) as i64 % 20),
        tif: Tif::Gtc,
    };
    OrderRequest::new(id, &command)
}

/// Places orders `ids` at `gateways` in turn, calling `during` once when half of them are sent.
pub(crate) async fn place(
    http: &Http,
    gateways: &[SocketAddr],
    ids: std::ops::Range<u64>,
    during: impl AsyncFnOnce(),
) -> Outcome {
    let next = AtomicUsize::new(0);
    let ids: Vec<u64> = ids.collect();
    let (half, at_half) = futures::channel::oneshot::channel();
    let half = std::sync::Mutex::new(Some(half));
    let client = async || {
        let mut outcome = Outcome::default();
        loop {
            let n = next.fetch_add(1, Ordering::Relaxed);
            let Some(id) = ids.get(n) else {
                return outcome;
            };
            if n >= ids.len() / 2
                && let Some(half) = half.lock().expect("not poisoned").take()
            {
                // Nobody waits if there is nothing to be done.
                let _ = half.send(());
            }
            let request = order(*id);
            let body = serde_json::to_string(&request).expect("JSON");
            let gateway = gateways[n % gateways.len()];
            match http.post(gateway, "/orders", body).await {
                Ok(answer) if answer.status == 200 => {
                    let reply = serde_json::from_str(&answer.body).expect("a reply");
                    outcome.acknowledged.push((request, reply));
                }
                Ok(answer) => outcome.refused.push(answer),
                Err(error) => outcome.broken.push(error),
            }
        }
    };
    let clients = join_all((0..CLIENTS).map(|_| client()));
    let (outcomes, ()) = futures::future::join(clients, async {
        if at_half.await.is_ok() {
            during().await;
        }
    })
    .await;
    let mut all = Outcome::default();
    for outcome in outcomes {
        all.add(outcome);
    }
    all
}
