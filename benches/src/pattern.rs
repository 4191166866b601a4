//! One pattern of messages, for simulators that are to be compared: who asks what and when, and what must come of it.
//!
//! ```text
//! client ─ 1 ms ─▶ gateway ─ 1 ms ─▶ engine (one at a time, 1 ms each) ─ 1 ms ─▶ gateway ─ 1 ms ─▶ client
//! ```
//!
//! The pattern is taken from a run of [`ours`]: the commands that its matching engine accepted, in that order, and the
//! trades that came of them. Each simulator sends these commands at the same instants, and must end with these trades.
//! Every time is a whole millisecond, and no two requests are sent in the same one: the finest that tokio's clock
//! and turmoil's ticks can tell apart, so that all of them let the messages arrive in one order.

use std::collections::BTreeMap;
use std::sync::Arc;

use dex::command::{Command, Event};
use dex::release::NAMESPACE;
use dex::types::Seq;
use sim::Application as _;
use sim::rng::Rng;
use sim::time::Micros;
use sim::workload::{ContainerStart, Workload as _};
use sim_exchange::database::trade_content;
use sim_exchange::{ExchangeConfig, SimulatedExchange};

/// Requests of a whole drill: 15 minutes at 200 a second.
pub const REQUESTS: u64 = 180_000;
/// Requests a second.
pub const RATE_PER_S: u64 = 200;
/// One hop through the network, and one request in the engine, in ms.
pub const STEP_MS: u64 = 1;
/// When the first request is sent, in ms.
const BEGIN_MS: u64 = 10;

/// What is sent and what must come of it.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// The commands, in the order in which they are sent.
    pub commands: Vec<Command>,
    /// When each of them is sent, in ms, ascending, no two of them the same.
    pub sent_ms: Vec<u64>,
    /// The engine before the first command.
    pub genesis: dex::Exchange,
    /// What the engine must have made of them.
    pub made: Made,
}

/// What an engine made of the commands: how many trades, and a hash over all that they say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Made {
    /// How many requests were answered.
    pub answers: u64,
    /// How many trades there were.
    pub trades: u64,
    /// A hash over what each of them says, in their order.
    pub hash: u64,
}

impl Made {
    /// One more trade.
    pub fn trade(&mut self, content: u64) {
        self.trades += 1;
        self.hash = (self.hash.rotate_left(5) ^ content).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
}

/// The engine of a simulator: the exchange's own matching, and what came of it.
pub struct Engine {
    exchange: dex::Exchange,
    commands: Arc<[Command]>,
    events: Vec<Event>,
    made: Made,
}

impl Engine {
    /// The engine before the first command of `pattern`.
    #[must_use]
    pub fn new(pattern: &Pattern) -> Self {
        Self {
            exchange: pattern.genesis.clone(),
            commands: pattern.commands.as_slice().into(),
            events: Vec::with_capacity(64),
            made: Made::default(),
        }
    }

    /// Executes request `number`, counted from 0.
    ///
    /// # Panics
    /// If there is no such request.
    pub fn execute(&mut self, number: u64) {
        let command = self.commands[usize::try_from(number).expect("in range")];
        self.events.clear();
        let seq = Seq(self.exchange.seq().0 + 1);
        self.exchange.apply(seq, &command, &mut self.events);
        for event in &self.events {
            if let Event::Trade(trade) = event {
                self.made.trade(trade_content(trade));
            }
        }
    }

    /// What came of everything so far, of which `answers` have reached the client.
    #[must_use]
    pub fn made(&self, answers: u64) -> Made {
        Made {
            answers,
            ..self.made
        }
    }
}

impl Pattern {
    /// The pattern of a run of [`ours`] with about `requests` requests.
    #[must_use]
    pub fn of(requests: u64, seed: u64) -> Self {
        let config = ExchangeConfig::default();
        let genesis = SimulatedExchange::new(config, seed)
            .database()
            .ledger()
            .state()
            .clone();
        let exchange = ours(requests, seed);
        let entries = exchange.database().ledger().log().entries();
        let commands: Vec<Command> = entries.iter().map(|entry| entry.command).collect();
        let mut rng = Rng::derive(seed, "pattern");
        let mean_ms = 1_000 / RATE_PER_S;
        let sent_ms = commands.iter().scan(BEGIN_MS, |at, _| {
            *at += rng.between(1, 2 * mean_ms - 1);
            Some(*at)
        });
        let mut made = Made::default();
        for trade in exchange.database().ledger().trades() {
            made.trade(trade.content);
        }
        made.answers = commands.len() as u64;
        Self {
            sent_ms: sent_ms.collect(),
            commands,
            genesis,
            made,
        }
    }

    /// By when everything is over, in ms.
    #[must_use]
    pub fn end_ms(&self) -> u64 {
        self.sent_ms.last().copied().unwrap_or(0) + 60_000
    }
}

/// Our own simulation of `requests` requests, one gateway in front of one engine: besides the messages of the pattern
/// it draws each request and its way through the network, keeps what every client saw, counts and times for a scrape,
/// writes an order log and a ledger, and folds everything into a fingerprint.
#[must_use]
pub fn ours(requests: u64, seed: u64) -> SimulatedExchange {
    let mut exchange = SimulatedExchange::new(ExchangeConfig::default(), seed);
    for app in ["gateway", "matching"] {
        let container = ContainerStart {
            namespace: NAMESPACE.to_owned(),
            pod: format!("{app}-0"),
            uid: format!("{app}-0"),
            app: app.to_owned(),
            container: app.to_owned(),
            image: format!("dex/{app}:1.4.2"),
            env: BTreeMap::new(),
            restart: 0,
        };
        exchange.start(Micros::ZERO, &container);
    }
    exchange.route(Micros::from_secs(5), "gateway", &["gateway-0".to_owned()]);
    // The clients begin after ten seconds.
    let end = Micros::from_secs(10 + requests / RATE_PER_S);
    exchange.advance(end);
    exchange
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engine_makes_of_the_pattern_what_our_own_simulation_made() {
        let pattern = Pattern::of(2_000, 1);
        assert!(pattern.commands.len() > 1_900, "{}", pattern.commands.len());
        assert!(pattern.sent_ms.windows(2).all(|pair| pair[0] < pair[1]));
        let mut engine = Engine::new(&pattern);
        for number in 0..pattern.commands.len() as u64 {
            engine.execute(number);
        }
        assert!(pattern.made.trades > 500, "{:?}", pattern.made);
        assert_eq!(engine.made(pattern.made.answers), pattern.made);
    }
}
