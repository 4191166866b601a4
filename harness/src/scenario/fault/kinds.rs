//! The table of all kinds of faults: a row has everything that a kind is, for scenario files, oracles and both worlds.

use super::draws::{DrawnAt, Family, Place, at, draws};
use super::elsewhere::{
    CLOCK, HOSTS, ITS_BUILDS, ITS_CLIENTS, ITS_DATABASE, ITS_ERRORS, ITS_OWN, ITS_SERVICES,
    ONE_HOST, WEBHOOK,
};
use super::spec::Blinds::{Everywhere, Target};
use super::spec::Blocks::{ByTarget, EveryWay, LedgerWays, NoWay, Restore};
use super::spec::Targets::{NoChoice, Of, Services};
use super::spec::Which::{Any, Changed, ChangedImage, Deployments};
use super::spec::{
    Asked, FaultSpec, HeldUp, Hosts, Lasts, Live, Need, Strikes, UndoScripts, given, held_up, need,
    worlds,
};

const SERVERS: &[&str] = &["kubernetes", "prometheus", "loki", "database"];

/// Hands the rows to the macro called `$then`.
///
/// A row has the kind's name in code and in scenario files, what happens in one sentence, what scenario files may say
/// of it, and what oracles must know. After the arrow stands how the simulated world begins it: `worlds/sim/faults`
/// makes that the arms of its match, so that the paths are those of that module, and `it` is its `Beginning`.
/// A cluster's way is named by [`Live`]. A row that ends with `anywhere` affects any application: there, `it` is the
/// `Beginning` of whichever application it is. Where it does something else to others than to the exchange, that stands
/// after a second arrow. One that ends with `exchange` affects the exchange alone, and says why.
macro_rules! kinds {
    ($then:ident) => {
        $then! {
            ApiSlow = "api-slow", "Requests of the executor reach the API server late.", {
                targets: NoChoice, lasts: May, delay: Must, chance: May, blocks: NoWay, strikes: Nothing,
                hosts: Untouched, leaves: false, delays_knowing: true, live: None,
                draws: draws(Family::Messages, DrawnAt::Any(at(Place::Acting, 1_000, 2_000)), true),
            } => |it| messages::api_slow(it.world, it.fault, it.label), anywhere;
            ApiThrottling = "api-throttling", "The API server answers the executor 429 with Retry-After.", {
                targets: NoChoice, lasts: May, delay: No, chance: May, blocks: NoWay, strikes: Nothing,
                hosts: Untouched, leaves: false, delays_knowing: true, live: None,
                draws: draws(Family::Messages, DrawnAt::Any(at(Place::Acting, 1_000, 2_000)), true),
            } => |it| messages::api_throttling(it.world, it.fault, it.label), anywhere;
            ApiFailing = "api-failing", "The API server answers the executor 500, before anything takes effect.", {
                targets: NoChoice, lasts: May, delay: No, chance: May, blocks: NoWay, strikes: Nothing,
                hosts: Untouched, leaves: false, delays_knowing: true, live: None,
                draws: draws(Family::Messages, DrawnAt::Any(at(Place::Acting, 1_000, 2_000)), true),
            } => |it| messages::api_failing(it.world, it.fault, it.label), anywhere;
            /// The webhook stands for one kind of objects only, so that everything else of a rollback goes on,
            /// its journal too.
            WritesRefused = "writes-refused", "The webhook that admits changes of some objects is away: the API server answers the executor's writes of them 500.", {
                targets: Of(&["trading-flag", "configuration", "deployments", "evictions"]), lasts: May, delay: No, chance: No,
                // The halt flag is written on the ledger's ways alone;
                // without configuration and evictions the clients may be well.
                blocks: ByTarget(&[("trading-flag", LedgerWays), ("deployments", EveryWay)]),
                strikes: Nothing,
                hosts: Untouched, leaves: false, delays_knowing: true, live: None,
                draws: draws(Family::Messages, DrawnAt::ByTarget(&[("trading-flag", at(Place::Halting, 0, 1_000)), ("deployments", at(Place::Undoing, 0, 1_000))]), false),
            } => |it| messages::writes_refused(it.world, it.fault, it.label), exchange(WEBHOOK);
            ApiCut = "api-cut", "The executor's connection is cut after the API server applied a write.", {
                targets: NoChoice, lasts: May, delay: No, chance: May, blocks: NoWay, strikes: Nothing,
                hosts: Untouched, leaves: false, delays_knowing: true, live: None,
                draws: draws(Family::Messages, DrawnAt::Any(at(Place::Acting, 300, 2_500)), true),
            } => |it| messages::api_cut(it.world, it.fault, it.label), anywhere;
            ApiDuplicated = "api-duplicated", "A write of the executor to the API server takes effect twice.", {
                targets: NoChoice, lasts: May, delay: No, chance: May, blocks: NoWay, strikes: Nothing,
                hosts: Untouched, leaves: false, delays_knowing: true, live: None,
                draws: draws(Family::Messages, DrawnAt::Any(at(Place::Acting, 300, 2_500)), true),
            } => |it| messages::api_duplicated(it.world, it.fault, it.label), anywhere;
            ExecutorKilled = "executor-killed", "The executor's host dies at once; `delay` later another one resumes.", {
                targets: NoChoice, lasts: Once, delay: Must, chance: No, blocks: NoWay, strikes: Nothing,
                hosts: Killed, leaves: false, delays_knowing: true, live: Some(Live::ExecutorKilled),
                draws: draws(Family::Hosts, DrawnAt::Any(at(Place::Anywhere, 5_000, 500)), true),
            } => |it| it.kill(), anywhere;
            UndoScriptMissing = "undo-script-missing", "The undo scripts of the release's migrations are gone.", {
                targets: NoChoice, lasts: ByItself, delay: No, chance: No, blocks: NoWay, strikes: Nothing,
                hosts: Untouched, leaves: false, delays_knowing: true, live: None, undo_scripts: Missing,
                draws: draws(Family::Ledger, DrawnAt::Any(at(Place::Trigger, 0, 0)), false),
            } => |it| ledger::scripts_missing(it.world), exchange(ITS_DATABASE);
            UndoScriptLossy = "undo-script-lossy", "The undo scripts of the release's migrations say that they lose data.", {
                targets: NoChoice, lasts: ByItself, delay: No, chance: No, blocks: NoWay, strikes: Nothing,
                hosts: Untouched, leaves: false, delays_knowing: true, live: None, undo_scripts: Lossy,
                draws: draws(Family::Ledger, DrawnAt::Any(at(Place::Trigger, 0, 0)), false),
            } => |it| ledger::scripts_lossy(it.world), exchange(ITS_DATABASE);
            UndoScriptFailing = "undo-script-failing", "Undo scripts fail inside their transaction, which is rolled back.", {
                targets: NoChoice, lasts: May, delay: No, chance: No, blocks: NoWay, strikes: Nothing,
                hosts: Untouched, leaves: false, delays_knowing: true, live: None, undo_scripts: Failing,
                draws: draws(Family::Ledger, DrawnAt::Any(at(Place::UndoSchema, 0, 1_000)), false),
            } => |it| ledger::on_the_server(it.world, DbFault::ScriptsFail), exchange(ITS_DATABASE);
            LedgerBusy = "ledger-busy", "Somebody's long transaction holds locks on the ledger's tables.", {
                targets: NoChoice, lasts: Must, delay: No, chance: No, blocks: NoWay, strikes: Nothing,
                hosts: Untouched, leaves: false, delays_knowing: true, live: None,
                draws: draws(Family::Ledger, DrawnAt::Any(at(Place::UndoSchema, 0, 1_000)), false),
            } => |it| ledger::busy(it.world, it.fault), exchange(ITS_DATABASE);
            SessionsReconnect = "sessions-reconnect", "Sessions on the ledger that were ended are there again at once, so that nothing gets it to itself.", {
                targets: NoChoice, lasts: May, delay: No, chance: No, blocks: Restore, strikes: Nothing,
                hosts: Untouched, leaves: false, delays_knowing: true, live: None,
                draws: draws(Family::Ledger, DrawnAt::Any(at(Place::Restoring, 0, 1_000)), false),
            } => |it| ledger::sessions_reconnect(it.world, it.fault), exchange(ITS_DATABASE);
            DatabaseRestarted = "database-restarted", "The database server restarts: sessions are cut, connections refused, what ran is rolled back.", {
                targets: NoChoice, lasts: Must, delay: No, chance: No, blocks: EveryWay, strikes: Servers,
                hosts: Untouched, leaves: false, delays_knowing: true, live: Some(Live::DatabaseRestarted),
                draws: draws(Family::Ledger, DrawnAt::Any(at(Place::Anywhere, 5_000, 500)), true),
            } => |it| ledger::on_the_server(it.world, DbFault::Down), exchange(ITS_DATABASE);
            DatabaseSlow = "database-slow", "Requests of the executor reach the database late.", {
                targets: NoChoice, lasts: May, delay: Must, chance: May, blocks: NoWay, strikes: Nothing,
                hosts: Untouched, leaves: false, delays_knowing: true, live: None,
                draws: draws(Family::Messages, DrawnAt::Any(at(Place::Ledger, 100, 1_000)), true),
            } => |it| messages::database_slow(it.world, it.fault, it.label), exchange(ITS_DATABASE);
            FlagMissed = "flag-missed", "Gateways that run notice a change of the halt flag `delay` later, or never.", {
                targets: NoChoice, lasts: May, delay: May, chance: No, blocks: NoWay, strikes: Nothing,
                // A gateway that has not noticed the halt goes on.
                hosts: Untouched, leaves: true, delays_knowing: true, live: None,
                draws: draws(Family::Ledger, DrawnAt::Any(at(Place::Halting, 0, 4_000)), false),
            } => |it| ledger::flag_missed(it.world, it.fault), exchange(ITS_OWN);
            MetricsMissing = "metrics-missing", "Prometheus can't scrape the pods of a service.", {
                targets: Services(Any), lasts: May, delay: No, chance: No, blocks: NoWay, strikes: Nothing,
                hosts: Untouched, leaves: false, delays_knowing: true, live: None, blinds: Everywhere,
                draws: draws(Family::Observability, DrawnAt::Any(at(Place::Anywhere, 5_000, 6_000)), true),
            } => |it| observability::metrics_missing(it.world, it.target().app), anywhere;
            MetricsStale = "metrics-stale", "Prometheus shows samples late.", {
                targets: NoChoice, lasts: May, delay: Must, chance: No, blocks: NoWay, strikes: Nothing,
                hosts: Untouched, leaves: false, delays_knowing: true, live: None, holds_up: Observability,
                draws: draws(Family::Observability, DrawnAt::Any(at(Place::Anywhere, 5_000, 6_000)), true),
            } => |it| observability::metrics_stale(it.world, it.fault, it.label), anywhere;
            LogsMissing = "logs-missing", "Lines that are written meanwhile are in Loki `delay` later, or never.", {
                targets: NoChoice, lasts: May, delay: May, chance: No, blocks: NoWay, strikes: Nothing,
                // Lines that are lost stay lost.
                hosts: Untouched, leaves: true, delays_knowing: true, live: None, felt_by: Loki,
                draws: draws(Family::Observability, DrawnAt::Any(at(Place::Anywhere, 5_000, 12_000)), false),
            } => |it| observability::logs_missing(it.world, it.fault), anywhere;
            SecondExecutor = "second-executor", "Another host begins to roll back, too.", {
                targets: NoChoice, lasts: ByItself, delay: No, chance: No, blocks: NoWay, strikes: Nothing,
                hosts: Joined, leaves: false, delays_knowing: true, live: None,
                draws: draws(Family::Hosts, DrawnAt::Any(at(Place::Acting, 1_000, 0)), false),
            } => |it| executor_hosts::second(it.injector, it.world, it.fault), exchange(ONE_HOST);
            ExecutorPaused = "executor-paused", "The executor's host stands still and then goes on; `delay` after the beginning another one resumes.", {
                targets: NoChoice, lasts: Must, delay: Must, chance: No, blocks: NoWay, strikes: Nothing,
                hosts: Paused, leaves: false, delays_knowing: true, live: None,
                draws: draws(Family::Hosts, DrawnAt::Any(at(Place::Anywhere, 5_000, 500)), true),
            } => |it| executor_hosts::paused(it.injector, it.world, it.fault), exchange(HOSTS);
            /// What servers and nodes stamp stays right, and so does all that the drill is judged by.
            ClockSkewed = "clock-skewed", "The clock of the host that runs the executor, or of those that run it later, is ahead `by` so much, or behind.", {
                targets: Of(&["first-host", "next-hosts"]), lasts: May, delay: No, chance: No, blocks: NoWay, strikes: Nothing,
                hosts: ClockOff, leaves: false, delays_knowing: false, live: None, by: Must,
                // A host looks at its clock again and again.
                draws: draws(Family::Hosts, DrawnAt::ByTarget(&[
                    ("first-host", at(Place::Anywhere, 5_000, 10_000)),
                    // It reads the time of day once, when it begins: perhaps two minutes after the first host died.
                    ("next-hosts", at(Place::NextHost, 0, 180_000)),
                ]), true),
            } => |it| executor_hosts::clock_skewed(it.injector, it.fault), exchange(CLOCK);
            Unreachable = "unreachable", "The executor reaches a server no more; its connections break.", {
                targets: Of(SERVERS), lasts: May, delay: No, chance: May,
                // Clients are well without a proof.
                blocks: ByTarget(&[("kubernetes", EveryWay), ("database", LedgerWays)]),
                // Triggers are asked of Prometheus; logs tell them nothing.
                strikes: Nothing,
                hosts: Untouched, leaves: false, delays_knowing: true, live: None, blinds: Target("prometheus"),
                draws: draws(Family::Messages, DrawnAt::ByTarget(&[("kubernetes", at(Place::Acting, 1_000, 2_000)), ("database", at(Place::Ledger, 100, 1_000)), ("prometheus", at(Place::Queries, 1_000, 6_000)), ("loki", at(Place::Logs, 0, 1_000))]), true),
            } => |it| messages::unreachable(it.world, it.fault, it.label), anywhere;
            WatchGone = "watch-gone", "Every watch ends each second and can't be taken up again: 410 Gone.", {
                targets: NoChoice, lasts: May, delay: No, chance: No, blocks: NoWay, strikes: Nothing,
                hosts: Untouched, leaves: false, delays_knowing: true, live: None,
                draws: draws(Family::Messages, DrawnAt::Any(at(Place::Undoing, 0, 3_000)), true),
            } => |it| cluster::watch_gone(it.world), anywhere;
            ImageGone = "image-gone", "The service's prior image can't be pulled any more.", {
                targets: Services(ChangedImage), lasts: May, delay: No, chance: No, blocks: EveryWay, strikes: Nothing,
                hosts: Untouched, leaves: false, delays_knowing: true, live: None,
                draws: draws(Family::Pods, DrawnAt::Any(at(Place::Undoing, 0, 2_000)), false),
            } => |it| cluster::image_gone(it.world, it.namespace(), it.changed()), anywhere;
            PodsSlow = "pods-slow", "Pods of the service's prior version take `delay` longer to become ready.", {
                targets: Services(ChangedImage), lasts: May, delay: Must, chance: No, blocks: NoWay, strikes: Nothing,
                hosts: Untouched, leaves: false, delays_knowing: true, live: None,
                draws: draws(Family::Pods, DrawnAt::Any(at(Place::Undoing, 0, 2_000)), true),
            } => |it| cluster::pods_slow(it.world, it.fault, it.changed()), anywhere;
            PodsStuck = "pods-stuck", "Pods of the service's prior version don't become ready.", {
                targets: Services(ChangedImage), lasts: May, delay: No, chance: No, blocks: EveryWay, strikes: Nothing,
                hosts: Untouched, leaves: false, delays_knowing: true, live: None,
                draws: draws(Family::Pods, DrawnAt::Any(at(Place::Undoing, 0, 2_000)), true),
            } => |it| cluster::pods_stuck(it.world, it.changed()), anywhere;
            PodsKilled = "pods-killed", "Every pod of the service is killed, without grace.", {
                targets: Services(Any), lasts: Once, delay: No, chance: No, blocks: NoWay, strikes: Pods,
                hosts: Untouched, leaves: false, delays_knowing: true, live: Some(Live::PodsKilled),
                draws: draws(Family::Pods, DrawnAt::Any(at(Place::Anywhere, 5_000, 500)), true),
            } => |it| people::once(it, people::kill), anywhere;
            TerminatingSlow = "terminating-slow", "Pods of the service's bad version ignore SIGTERM and serve on until they are killed.", {
                targets: Services(ChangedImage), lasts: May, delay: No, chance: No, blocks: NoWay, strikes: Nothing,
                hosts: Untouched, leaves: false, delays_knowing: true, live: None,
                draws: draws(Family::Pods, DrawnAt::Any(at(Place::Undoing, 0, 2_000)), true),
            } => |it| cluster::terminating_slow(it.world, it.changed()), anywhere;
            Quota = "quota", "The namespace's quota of pods is used up.", {
                targets: NoChoice, lasts: May, delay: No, chance: No, blocks: EveryWay, strikes: Nothing,
                hosts: Untouched, leaves: false, delays_knowing: true, live: None,
                draws: draws(Family::Infrastructure, DrawnAt::Any(at(Place::Undoing, 0, 2_000)), true),
            } => |it| cluster::quota(it.world, it.namespace()), anywhere;
            NodeFull = "node-full", "The node takes no more pods.", {
                targets: NoChoice, lasts: May, delay: No, chance: No, blocks: EveryWay, strikes: Nothing,
                hosts: Untouched, leaves: false, delays_knowing: true, live: None,
                draws: draws(Family::Infrastructure, DrawnAt::Any(at(Place::Undoing, 0, 2_000)), true),
            } => |it| cluster::node_full(it.world, it.namespace()), anywhere;
            HistoryPruned = "history-pruned", "The ReplicaSets of the service that have no pods are deleted.", {
                targets: Services(Changed), lasts: Once, delay: No, chance: No, blocks: NoWay, strikes: Nothing,
                hosts: Untouched, leaves: false, delays_knowing: true, live: None,
                draws: draws(Family::People, DrawnAt::Any(at(Place::Trigger, 0, 0)), false),
            } => |it| people::once(it, people::prune), anywhere;
            DeploymentPaused = "deployment-paused", "Somebody pauses the service's Deployment.", {
                targets: Services(Deployments), lasts: Once, delay: No, chance: No, blocks: NoWay, strikes: Nothing,
                hosts: Untouched, leaves: false, delays_knowing: true, live: None, theirs: "paused",
                draws: draws(Family::People, DrawnAt::Any(at(Place::Anywhere, 5_000, 500)), true),
            } => |it| people::once(it, people::pause), anywhere;
            ReplicasScaled = "replicas-scaled", "Somebody scales the service down to one replica.", {
                targets: Services(Any), lasts: Once, delay: No, chance: No, blocks: NoWay, strikes: Servers,
                hosts: Untouched, leaves: false, delays_knowing: true, live: None,
                draws: draws(Family::People, DrawnAt::Any(at(Place::Anywhere, 5_000, 500)), true),
            } => |it| people::once(it, people::scale_down), anywhere;
            SecondUndo = "second-undo", "Somebody undoes the service's rollout, without naming a revision.", {
                targets: Services(Any), lasts: Once, delay: No, chance: No, blocks: NoWay, strikes: Servers,
                hosts: Untouched, leaves: false, delays_knowing: true, live: None,
                draws: draws(Family::People, DrawnAt::Any(at(Place::Anywhere, 5_000, 500)), false),
            } => |it| people::once(it, people::undo), anywhere;
            SelfHeal = "self-heal", "A GitOps controller puts the bad release back, `delay` after it was rolled back.", {
                targets: NoChoice, lasts: May, delay: Must, chance: No, blocks: NoWay, strikes: Servers,
                hosts: Untouched, leaves: false, delays_knowing: true, live: None,
                draws: draws(Family::People, DrawnAt::Any(at(Place::Undoing, 0, 10_000)), false),
            } => |it| people::self_heal(it), anywhere;
            ApiServerRestarted = "api-server-restarted", "The API server's process dies at once, and the node starts it again.", {
                targets: NoChoice, lasts: ByItself, delay: No, chance: No, blocks: NoWay, strikes: Nothing,
                hosts: Untouched, leaves: false, delays_knowing: true, live: Some(Live::ApiServerRestarted),
                draws: draws(Family::Infrastructure, DrawnAt::Any(at(Place::Anywhere, 5_000, 500)), true),
            } => |it| node::api_server_restarted(it.world, it.label, &mut it.stream()), anywhere;
            ConnectionsDropped = "connections-dropped", "Connections break and none can be made: the pods' to the ledger, or everybody's to the API server from outside.", {
                targets: Of(&["database", "kubernetes"]), lasts: Must, delay: No, chance: No, blocks: EveryWay, strikes: Servers,
                hosts: Untouched, leaves: false, delays_knowing: true, live: Some(Live::ConnectionsDropped),
                draws: draws(Family::Infrastructure, DrawnAt::Any(at(Place::Anywhere, 5_000, 500)), true),
            } => |it| node::connections_dropped(it.world, it.fault, it.label),
                anywhere => |it| node::api_server_cut_off(it.world, it.fault, it.label);
            NodePaused = "node-paused", "Everything on the node stands still.", {
                targets: NoChoice, lasts: Must, delay: No, chance: No, blocks: EveryWay, strikes: Servers,
                hosts: Untouched, leaves: false, delays_knowing: true, live: Some(Live::NodePaused), blinds: Everywhere,
                draws: draws(Family::Infrastructure, DrawnAt::Any(at(Place::Anywhere, 5_000, 500)), true),
            } => |it| node::paused(it.world, it.fault), anywhere;
            LatencySpike = "latency-spike", "The gateways stand still for a moment, and what is sent meanwhile is answered late.", {
                targets: NoChoice, lasts: Must, delay: No, chance: No, blocks: NoWay, strikes: Servers,
                // A trigger may have fired that is not the release's.
                hosts: Untouched, leaves: true, delays_knowing: true, live: None,
                draws: draws(Family::Clients, DrawnAt::Any(at(Place::Anywhere, 5_000, 500)), false),
            } => |it| false_alarms::latency(it.world, it.fault), exchange(ITS_SERVICES);
            BooksAlarm = "books-alarm", "The reconciliation shows an anomaly that the books don't have.", {
                targets: NoChoice, lasts: May, delay: No, chance: No, blocks: NoWay, strikes: Nothing,
                // A trigger may have fired that is not the release's.
                hosts: Untouched, leaves: true, delays_knowing: true, live: None,
                draws: draws(Family::Observability, DrawnAt::Any(at(Place::Anywhere, 5_000, 500)), false),
            } => |it| false_alarms::raised(it.world, Alarm::Books), exchange(ITS_OWN);
            HashAlarm = "hash-alarm", "The reconciliation counts one state hash mismatch that there is not.", {
                targets: NoChoice, lasts: ByItself, delay: No, chance: No, blocks: NoWay, strikes: Nothing,
                hosts: Untouched, leaves: false, delays_knowing: true, live: None,
                draws: draws(Family::Observability, DrawnAt::Any(at(Place::Anywhere, 5_000, 500)), false),
            } => |it| false_alarms::raised(it.world, Alarm::StateHash), exchange(ITS_OWN);
            MatchingAlarm = "matching-alarm", "The reconciliation counts one irregular trade that there is not.", {
                targets: NoChoice, lasts: ByItself, delay: No, chance: No, blocks: NoWay, strikes: Nothing,
                hosts: Untouched, leaves: false, delays_knowing: true, live: None,
                draws: draws(Family::Observability, DrawnAt::Any(at(Place::Anywhere, 5_000, 500)), false),
            } => |it| false_alarms::raised(it.world, Alarm::Matching), exchange(ITS_OWN);
            ClientsQuiet = "clients-quiet", "The clients leave out a share (`chance`) of the requests that they would send.", {
                targets: NoChoice, lasts: May, delay: No, chance: Must, blocks: NoWay, strikes: Nothing,
                // Fewer requests came than the load says.
                hosts: Untouched, leaves: true, delays_knowing: true, live: None,
                draws: draws(Family::Clients, DrawnAt::Any(at(Place::Anywhere, 5_000, 500)), false),
            } => |it| exchange::clients_quiet(it.world, it.fault), exchange(ITS_CLIENTS);
            RequestsFailing = "requests-failing", "A share (`chance`) of the requests fails at the gateways, or at the one that came up last; it shows in their metrics, their logs, or both.", {
                targets: Of(&["both", "metrics", "logs", "last-gateway"]), lasts: May, delay: No, chance: Must, blocks: NoWay, strikes: Servers,
                // A trigger may have fired, or an error have been counted, that is not the release's.
                hosts: Untouched, leaves: true, delays_knowing: true, live: None,
                draws: draws(Family::Clients, DrawnAt::Any(at(Place::Anywhere, 5_000, 500)), false),
            } => |it| exchange::requests_failing(it.world, it.fault), exchange(ITS_ERRORS);
            ConnectionsUneven = "connections-uneven", "The gateway that came up last keeps one connection; all others go to the other gateways.", {
                targets: NoChoice, lasts: Once, delay: No, chance: No, blocks: NoWay, strikes: Nothing,
                hosts: Untouched, leaves: false, delays_knowing: true, live: None,
                draws: draws(Family::Clients, DrawnAt::Any(at(Place::Anywhere, 5_000, 500)), false),
            } => |it| exchange::connections_uneven(it.world), exchange(ITS_SERVICES);
            PodsSick = "pods-sick", "Pods of the service answer their health check with 503, whatever they do otherwise.", {
                targets: Services(Any), lasts: May, delay: No, chance: No, blocks: NoWay, strikes: Servers,
                hosts: Untouched, leaves: false, delays_knowing: true, live: None,
                draws: draws(Family::Pods, DrawnAt::Any(at(Place::Anywhere, 5_000, 500)), false),
            } => |it| exchange::pods_sick(it.world, it.fault), exchange(ITS_SERVICES);
            TagMoved = "tag-moved", "The tag of the service's prior image names another build, 1.4.3.", {
                targets: Services(Changed), lasts: May, delay: No, chance: No, blocks: NoWay, strikes: Nothing,
                // A process that was started goes on with its build.
                hosts: Untouched, leaves: true, delays_knowing: true, live: None,
                draws: draws(Family::Pods, DrawnAt::Any(at(Place::Undoing, 0, 2_000)), false),
            } => |it| exchange::tag_moved(it.world, it.changed()), exchange(ITS_BUILDS);
            BooksBroken = "books-broken", "Somebody books an amount without a counter-entry.", {
                targets: NoChoice, lasts: Once, delay: No, chance: No, blocks: NoWay, strikes: Books,
                hosts: Untouched, leaves: true, delays_knowing: true, live: None,
                draws: draws(Family::Ledger, DrawnAt::Any(at(Place::Anywhere, 5_000, 500)), false),
            } => |it| exchange::books_broken(it.world), exchange(ITS_OWN);
            SecondRelease = "second-release", "Somebody deploys another release of the service, 1.4.3.", {
                targets: Services(Any), lasts: Once, delay: No, chance: No, blocks: NoWay, strikes: Servers,
                hosts: Untouched, leaves: false, delays_knowing: true, live: None,
                draws: draws(Family::People, DrawnAt::Any(at(Place::Anywhere, 5_000, 500)), false),
            } => |it| people::once(it, people::deploy), exchange(ITS_BUILDS);
        }
    };
}
pub(crate) use kinds;

/// Makes the kinds and their table of the rows, so that neither lacks what the other has.
macro_rules! faults {
    ($($(#[$doc:meta])* $kind:ident = $name:literal, $what:literal, {
        targets: $targets:expr, lasts: $lasts:ident, delay: $delay:ident, chance: $chance:ident, blocks: $blocks:expr,
        strikes: $strikes:ident, hosts: $hosts:ident, leaves: $leaves:literal, delays_knowing: $delays_knowing:literal,
        live: $live:expr $(, theirs: $theirs:literal)? $(, blinds: $blinds:expr)? $(, felt_by: $felt_by:ident)?
        $(, holds_up: $holds_up:ident)? $(, undo_scripts: $undo_scripts:ident)? $(, by: $by:ident)?,
        draws: $draws:expr $(,)?
    } => $begin:expr, $scope:ident $(($why:expr))? $(=> $of_any:expr)?;)*) => {
        /// What can go wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum FaultKind {
            $(#[doc = $what] $(#[$doc])* $kind,)*
        }

        /// All kinds of faults, in the order of their names' families.
        pub const FAULTS: &[FaultSpec] = &[$(FaultSpec {
            kind: FaultKind::$kind,
            name: $name,
            what: $what,
            targets: $targets,
            lasts: Lasts::$lasts.need(),
            for_a_time: Lasts::$lasts.is_for_a_time(),
            delay: Need::$delay,
            chance: Need::$chance,
            by: need(&[$(Need::$by)?]),
            blocks: $blocks,
            strikes: Strikes::$strikes,
            hosts: Hosts::$hosts,
            leaves: $leaves,
            delays_knowing: $delays_knowing,
            live: $live,
            theirs: given(&[$($theirs)?]),
            blinds: given(&[$($blinds)?]),
            felt_by: given(&[$(Asked::$felt_by)?]),
            holds_up: held_up(Hosts::$hosts, given(&[$(HeldUp::$holds_up)?])),
            undo_scripts: given(&[$(UndoScripts::$undo_scripts)?]),
            draws: $draws,
            worlds: worlds($live),
            of_the_exchange: given(&[$($why)?]),
        },)*];
    };
}

kinds!(faults);

impl FaultKind {
    /// What scenario files may say about it.
    #[must_use]
    pub fn spec(self) -> &'static FaultSpec {
        // Both are declared by one macro, in one order.
        &FAULTS[self as usize]
    }

    /// The word in scenario files.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.spec().name
    }

    /// The kind that `word` names.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        FAULTS
            .iter()
            .find(|spec| spec.name == word)
            .map(|spec| spec.kind)
    }
}
