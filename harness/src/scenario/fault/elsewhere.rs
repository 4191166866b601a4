//! Why some kinds of faults affect the exchange alone, and what does the same to another application.

/// Why a kind can't be aimed at an application that is not the exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OfTheExchange {
    /// Why not.
    pub why: &'static str,
    /// What to do instead, up to the list of the kinds that can be aimed at it; empty: there is nothing like it.
    pub instead: &'static str,
}

const DEFECTS: &str = "let a release have it as a defect in the application's own file, or ";

/// Its halt flag, its books, and the reconciliation that reads them.
pub(super) const ITS_OWN: OfTheExchange = OfTheExchange {
    why: "only the exchange has what it affects",
    instead: "",
};
pub(super) const CLOCK: OfTheExchange = OfTheExchange {
    why: "so far only hosts of the exchange's drills have clocks of their own",
    instead: "",
};
pub(super) const HOSTS: OfTheExchange = OfTheExchange {
    why: "so far only drills of the exchange have two hosts at once",
    instead: "end the executor's host by `executor-killed`, or at one of its requests by `[crash]`, or ",
};
pub(super) const ONE_HOST: OfTheExchange = OfTheExchange {
    why: "so far only drills of the exchange have a second host",
    instead: "",
};
pub(super) const ITS_CLIENTS: OfTheExchange = OfTheExchange {
    why: "how much the clients send is said in the application's own file",
    instead: "change the clients' rate or their bursts there, or ",
};
pub(super) const ITS_ERRORS: OfTheExchange = OfTheExchange {
    why: "which requests fail is said in the application's own file",
    instead: "set `errors` of a service there, or the defect `errors` of a release, or ",
};
pub(super) const ITS_SERVICES: OfTheExchange = OfTheExchange {
    why: "so far only the exchange's own services can do this",
    instead: DEFECTS,
};
pub(super) const WEBHOOK: OfTheExchange = OfTheExchange {
    why: "the webhook admits the exchange's own objects, its halt flag and its configuration among them",
    instead: "",
};
pub(super) const ITS_DATABASE: OfTheExchange = OfTheExchange {
    why: "so far only the exchange's ledger database can fail in this way",
    instead: "say of the store's migrations in the application's own file how they go back, or ",
};
pub(super) const ITS_BUILDS: OfTheExchange = OfTheExchange {
    why: "it deploys 1.4.3, which is a build of the exchange",
    instead: DEFECTS,
};
