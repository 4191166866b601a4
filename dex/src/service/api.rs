//! What goes over the wire: clients to gateway (`POST /orders`), gateway to matching engine (`POST /commands`).

use serde::{Deserialize, Serialize};

use crate::command::{Command, Trade};
use crate::types::{AccountId, MarketId, OrderId, Price, Qty, Side, Tif};

/// Header of an answer 503 that is not an error: trading is halted on purpose. Its value is `true`.
pub const MAINTENANCE_HEADER: &str = "x-dex-maintenance";
/// Header of an answer 421 of an engine that does not lead: the address of the one that does.
pub const LEADER_HEADER: &str = "x-dex-leader";

/// The list of markets in the form [`MarketList::V2`](crate::release::MarketList::V2); in the first form, it is the
/// array alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Markets {
    /// Their ids.
    pub markets: Vec<u16>,
}

/// Body of `POST /orders`: exactly one of `place` and `cancel`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderRequest {
    /// Chosen by the client, unique, not 0; the same when it sends the request again.
    pub id: u64,
    /// Who asks.
    pub account: AccountId,
    /// Places an order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// Cancels one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel: Option<Cancel>,
}

/// An order to place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Where.
    pub market: MarketId,
    /// `"buy"` or `"sell"`.
    #[serde(with = "Sides")]
    pub side: Side,
    /// Limit price in ticks.
    pub price: Price,
    /// Quantity in lots.
    pub qty: Qty,
    /// `"gtc"` or `"ioc"`.
    #[serde(with = "Tifs")]
    pub tif: Tif,
}

/// An order to cancel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cancel {
    /// Which.
    pub order: OrderId,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Side", rename_all = "lowercase")]
enum Sides {
    Buy,
    Sell,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Tif", rename_all = "lowercase")]
enum Tifs {
    Gtc,
    Ioc,
}

impl OrderRequest {
    /// The request for `command`.
    #[must_use]
    pub fn new(id: u64, command: &Command) -> Self {
        let (mut place, mut cancel) = (None, None);
        match *command {
            Command::Place {
                market,
                side,
                price,
                qty,
                tif,
                ..
            } => {
                place = Some(Place {
                    market,
                    side,
                    price,
                    qty,
                    tif,
                });
            }
            Command::Cancel { order, .. } => cancel = Some(Cancel { order }),
        }
        Self {
            id,
            account: command.account(),
            place,
            cancel,
        }
    }

    /// The command; `None` unless there is exactly one and the id is not 0.
    #[must_use]
    pub fn command(&self) -> Option<Command> {
        let account = self.account;
        match (self.id, self.place, self.cancel) {
            (0, ..) | (_, None, None) | (_, Some(_), Some(_)) => None,
            (_, Some(place), None) => Some(Command::Place {
                account,
                market: place.market,
                side: place.side,
                price: place.price,
                qty: place.qty,
                tif: place.tif,
            }),
            (_, None, Some(Cancel { order })) => Some(Command::Cancel { account, order }),
        }
    }
}

/// Body of an answer 200: the command is committed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderReply {
    /// The order that was placed or cancelled.
    pub order_id: OrderId,
    /// Lots filled at once (0 for a cancel).
    pub filled: Qty,
    /// Lots that rest in the book now (0 for a cancel).
    pub resting: Qty,
    /// The trades that it made, in order.
    pub trades: Vec<Trade>,
}

/// Body of any other answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorReply {
    /// What went wrong, for people.
    pub error: String,
}

/// Body of `POST /commands`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandRequest {
    /// The client's id of the request.
    pub id: u64,
    /// What to do.
    pub command: Command,
}

#[cfg(all(test, feature = "service"))]
mod tests {
    use super::*;
    use crate::types::{Amount, Seq, TradeId};

    #[test]
    fn requests_read_as_documented_and_come_back_as_commands() {
        let text = r#"{"id":7,"account":3,"place":{"market":1,"side":"sell","price":9000,"qty":5,"tif":"ioc"}}"#;
        let request: OrderRequest = serde_json::from_str(text).unwrap();
        let command = request.command().unwrap();
        assert_eq!(OrderRequest::new(7, &command), request);
        assert_eq!(serde_json::to_string(&request).unwrap(), text);
        let cancel: OrderRequest =
            serde_json::from_str(r#"{"id":8,"account":3,"cancel":{"order":7}}"#).unwrap();
        assert_eq!(
            cancel.command(),
            Some(Command::Cancel {
                account: AccountId(3),
                order: OrderId(7)
            })
        );
    }

    #[test]
    fn requests_that_say_nothing_or_two_things_are_no_commands() {
        for text in [
            r#"{"id":7,"account":3}"#,
            r#"{"id":0,"account":3,"cancel":{"order":7}}"#,
            r#"{"id":7,"account":3,"cancel":{"order":7},"place":{"market":1,"side":"buy","price":9,"qty":5,"tif":"gtc"}}"#,
        ] {
            let request: OrderRequest = serde_json::from_str(text).unwrap();
            assert_eq!(request.command(), None, "{text}");
        }
        let unknown = r#"{"id":7,"account":3,"cancel":{"order":7},"price":1}"#;
        assert!(serde_json::from_str::<OrderRequest>(unknown).is_err());
    }

    #[test]
    fn trades_survive_the_wire() {
        let trade = Trade {
            id: TradeId(1),
            seq: Seq(2),
            market: MarketId(0),
            price: Price(9_000),
            qty: Qty(4),
            taker_side: Side::Buy,
            taker_order: OrderId(2),
            taker: AccountId(1),
            maker_order: OrderId(1),
            maker: AccountId(0),
            taker_fee: Amount(75),
            maker_fee: Amount(21),
        };
        let reply = OrderReply {
            order_id: OrderId(2),
            filled: Qty(4),
            resting: Qty(0),
            trades: vec![trade],
        };
        let text = serde_json::to_string(&reply).unwrap();
        assert_eq!(serde_json::from_str::<OrderReply>(&text).unwrap(), reply);
    }
}
