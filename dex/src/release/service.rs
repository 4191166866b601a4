//! The exchange's services, and the names that the whole exchange is deployed under.

/// Namespace of everything that is deployed of the exchange, as the manifests in `deploy/dex` have it.
pub const NAMESPACE: &str = "dex-production";
/// Name of the ConfigMap with the halt flag.
pub const TRADING: &str = "dex-trading";
/// Name of the ConfigMap with the files of migrations. Whoever deploys makes it from the release.
pub const MIGRATIONS: &str = "dex-migrations";

/// Declares the services and everything that lists them in one place, so that none is forgotten in a list.
macro_rules! services {
    ($($(#[$doc:meta])* $service:ident = $name:literal;)+) => {
        /// One of the exchange's services.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Service {
            $($(#[$doc])* $service,)+
        }

        impl Service {
            /// All services, in the order in which they roll back: what others depend on goes first.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$service),+];
            /// The names of all services, in the same order.
            pub const NAMES: [&'static str; Self::ALL.len()] = [$($name),+];

            /// Name of the Deployment, the container and the image.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$service => $name,)+
                }
            }
        }
    };
}

services! {
    /// The matching engine and its ledger.
    Matching = "matching";
    /// Reconciliation.
    Risk = "risk";
    /// The front door.
    Gateway = "gateway";
}

impl Service {
    /// The service called `name`.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.name() == name)
    }
}
