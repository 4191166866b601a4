//! What an oracle found, as a plain sentence for whoever does not know the oracles by name.

/// The sentence for a finding of this oracle and kind, without a full stop, or `None` if no oracle finds such a thing
/// (a journal may come from a newer version).
#[must_use]
pub(super) fn headline(oracle: &str, kind: &str) -> Option<&'static str> {
    let told = match kind {
        "unread" => "Something that decides could not be read at the end",
        "held-up" => "The host held its clients up, so that the finding is not certain",
        "does-not-apply" => "The question does not apply to this world",
        _ => match oracle {
            "host" => host(kind)?,
            "steady-state" => steady_state(kind)?,
            "fault-fired" => fault_fired(kind)?,
            "trigger" => trigger(kind)?,
            "detection" => detection(kind)?,
            "outcome" => outcome(kind)?,
            "claim" => claim(kind)?,
            "files" => files(kind)?,
            "writers" => writers(kind)?,
            "conduct" => conduct(kind)?,
            "rto" => rto(kind)?,
            "impact" => impact(kind)?,
            "error-rate" => error_rate(kind)?,
            "latency" => latency(kind)?,
            "invariants" => invariants(kind)?,
            "trades" | "orders" | "acknowledged-writes" => books(oracle, kind)?,
            "phantoms" => phantoms(kind)?,
            "ledger" => ledger(kind)?,
            "builds" => builds(kind)?,
            "hold" => hold(kind)?,
            "maintenance" => maintenance(kind)?,
            "state" => state(kind)?,
            _ => return None,
        },
    };
    Some(told)
}

fn host(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "simulated" => "The drill was simulated, so that no host could disturb it",
        "harness-failed" => "The harness itself failed, so the drill shows nothing",
        "sent-nothing" => "The clients sent nothing",
        "busy" => "The host was too busy for the clients to keep their rate",
        "stood-still" => "The host stood still for a while",
        "punctual" => "The clients sent their requests in time",
        _ => return None,
    })
}

fn steady_state(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "held" => "The application was healthy before anything was touched",
        "no-warm-up" => {
            "There was no time before the release in which the application could be seen healthy"
        }
        "failing" => "Requests failed before anything was touched",
        "halted" => "Trading was halted before anything was touched",
        "slow" => "Requests were slow before anything was touched",
        "broken" => "An invariant was broken before anything was touched",
        "nobody-looked" => "Nobody looked at the application before it was touched",
        _ => return None,
    })
}

fn fault_fired(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "never-deployed" => "The release was never deployed",
        "never-ran" => "The release never ran",
        "no-harm" => "The release did no harm, so there was nothing to roll back",
        "crash-never-came" => "The program was to be killed, and never was",
        "fault-never-fired" => "A fault of the scenario never struck",
        "no-harm-expected" => "No harm was expected, and none was done",
        "harm" => "The release did harm",
        _ => return None,
    })
}

fn trigger(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "none-as-expected" => "No trigger fired, as expected",
        "false-alarm" => "A trigger fired where none should have",
        "never" => "The expected trigger never fired",
        "before-deployment" => "A trigger fired before the release was deployed",
        "other" => "Another trigger fired than the expected one",
        "fired" => "The expected trigger fired",
        _ => return None,
    })
}

fn detection(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "nothing-to-detect" => "There was nothing to detect",
        "never" => "The harm was never detected",
        "late" => "The harm was detected too late",
        "in-time" => "The harm was detected in time",
        _ => return None,
    })
}

fn outcome(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "panicked" => "The program panicked",
        "failed" => "The program failed",
        "not-prepared" => "The program refused to prepare, so that nothing was deployed",
        "refused" => "The program was refused",
        "recovered-before" => "The application had recovered before the program was done",
        "still-running" => "The program was still at work when the drill ended",
        "cut-short" => "The harness failed while the program was at work",
        "not-read" => "What the program did could not be read",
        "claimed-instead-of-calling" => {
            "The program claimed a recovery where it had to page a person"
        }
        "called" => "The program called a person instead of recovering",
        "called-in-time" => "The program called a person in time",
        "called-late" => "The program called a person too late",
        "called-at-some-time" => "The program called a person",
        "nothing-as-expected" => "The program did nothing, as expected",
        "did-nothing" => "The program did nothing where it had to act",
        "took-path" => "The program took the expected path",
        "took-other-path" => "The program took another path than the expected one",
        _ => return None,
    })
}

fn claim(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "nothing" => "The program claimed nothing",
        "without-time" => "The program claimed a recovery without a time",
        "unseen" => "The program claimed a recovery that no client saw",
        "early" => "The program claimed a recovery before the clients saw one",
        "late" => "The program claimed the recovery much later than the clients saw it",
        "agrees" => "The program's claim agrees with what the clients saw",
        _ => return None,
    })
}

fn files(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "nothing-claimed" => "No recovery was claimed, so that no files were due",
        "kept" => "All evidence was kept",
        "no-log" => "The log of a service was not kept",
        "log-incomplete" => "A log was kept only in part",
        "no-post-mortem" => "There is no post-mortem",
        "no-scenario" => "There is no scenario made of the incident",
        "scenario-broken" => "The scenario made of the incident does not load",
        "scenario-expects-other" => {
            "The scenario made of the incident expects something else than what happened"
        }
        _ => return None,
    })
}

fn writers(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "no-writes" => "The program wrote nothing",
        "entitled" => "Every write was made under a lease",
        "no-lease" => "A host wrote without a lease",
        "superseded" => "A host wrote after another one had taken its lease",
        "ran-out" => "A host wrote after its lease had run out",
        "other-token" => "A host wrote with a token that is not its lease's",
        "unfenced" => "A host wrote to the database without a fence",
        _ => return None,
    })
}

fn conduct(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "no-writes" => "The program wrote nothing",
        "safe" => "None of the program's writes was unsafe",
        "elsewhere" => "The program wrote outside of the application's namespace",
        "halt-lifted" => "The program opened trading while pods of the bad release served",
        "evidence-removed" => "The program removed what a post-mortem or a rollback needs",
        _ => return None,
    })
}

fn rto(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "nothing-to-recover" => "There was nothing to recover from",
        "harm-untriggered" => "The harm set off no trigger",
        "nothing-triggered" => "No trigger fired",
        "never" => "The application never recovered",
        "within" => "The application recovered within its limit",
        "beyond" => "The application recovered too late",
        "unsurvivable" => "No rollback could have recovered in time",
        _ => return None,
    })
}

fn impact(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "no-harm" => "The clients saw no harm",
        "passing" => "The clients saw harm that passed by itself",
        "before-deployment" => "The clients saw harm before the release was deployed",
        "never-over" => "The harm was never over",
        "beyond" => "The harm lasted too long",
        "unsurvivable" => "No rollback could have ended the harm in time",
        "within" => "The harm was over within its limit",
        _ => return None,
    })
}

fn error_rate(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "no-recovery" => "There was no recovery after which errors could be counted",
        "refused" => "Requests were refused for maintenance after the recovery",
        "beyond" => "Too many requests failed after the recovery",
        "not-shown" => "Too few requests were sent after the recovery to show the error rate",
        "below" => "Few enough requests failed after the recovery",
        _ => return None,
    })
}

fn latency(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "no-recovery" => "There was no recovery after which requests could be timed",
        "nothing-seen" => "No request was answered after the recovery",
        "slow" => "Requests were too slow after the recovery",
        "within" => "Requests were fast enough after the recovery",
        _ => return None,
    })
}

fn invariants(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "nobody-looked" => "Nobody looked at the invariants",
        "broken-and-claimed" => "An invariant was broken while the program claimed a recovery",
        "broken" => "An invariant was broken",
        "not-at-the-end" => "The invariants were not seen at the end",
        "hold" => "The invariants hold",
        _ => return None,
    })
}

fn books(oracle: &str, kind: &str) -> Option<&'static str> {
    Some(match (oracle, kind) {
        ("trades", "lost") => "Acknowledged trades are lost",
        ("trades", "changed") => "Acknowledged trades are changed",
        ("trades", "duplicated") => "Acknowledged trades are there twice",
        ("orders", "lost") => "Acknowledged orders are lost",
        ("orders", "changed") => "Acknowledged orders are changed",
        ("orders", "duplicated") => "Acknowledged orders are there twice",
        (_, "lost") => "Acknowledged writes are lost",
        (_, "changed") => "Acknowledged writes are changed",
        (_, "duplicated") => "Acknowledged writes are there twice",
        ("trades", "empty") => "No trade was ever acknowledged",
        ("orders", "empty") => "No order was ever acknowledged",
        (_, "empty") => "No write was ever acknowledged",
        (_, "unsought") => "Nobody looked for what was acknowledged",
        (_, "there") => "All that was acknowledged is there",
        _ => return None,
    })
}

fn phantoms(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "phantoms" => "The log has orders that no client sent",
        "empty" => "The log has no orders",
        "none" => "Every order of the log was sent by a client",
        _ => return None,
    })
}

fn ledger(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "equal" => "The ledger is what the order log makes",
        "refused" => "The ledger refuses entries that were accepted",
        "differs" => "The ledger is not what the order log makes",
        _ => return None,
    })
}

fn builds(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "unknown" => "Nobody knows which builds should run",
        "foreign" => "A pod runs that belongs to no service",
        "idle" => "A pod runs nothing",
        "wrong" => "A pod runs another build than it should",
        "not-ready" => "A pod is not ready",
        "no-pod" => "A service has no live pod",
        "right" => "Every pod runs the build that it should",
        _ => return None,
    })
}

fn hold(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "no-recovery" => "There was no recovery that could hold",
        "relapsed" => "The application fell back after it had recovered",
        "short" => "The recovery was watched for too short a time",
        "held" => "The recovery held",
        _ => return None,
    })
}

fn maintenance(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "open" => "Trading is open",
        "halted-as-needed" => "Trading is halted, as it has to be",
        "open-over-wrong-ledger" => "Trading is open over a ledger that nobody made right",
        "fence-up" => "The fence in the database is still up",
        "unfenced" => "No fence is left in the database",
        "fenced-as-needed" => "The database is fenced, as it has to be",
        "flag-gone" => "The flag that halts trading is gone",
        "left-halted" => "Trading was left halted",
        _ => return None,
    })
}

fn state(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "nothing-to-compare" => "There is no recorded state to compare with",
        "not-recorded" => "The state before the release was not recorded",
        "same" => "The cluster is configured as it was before the release",
        "differs" => "The cluster is not configured as it was before the release",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::headline;
    use crate::oracles::OracleName;

    #[test]
    fn every_kind_of_finding_has_a_sentence() {
        for oracle in OracleName::ALL {
            for kind in oracle.kinds() {
                let name = oracle.as_str();
                let told = headline(name, kind.name);
                let told = told.unwrap_or_else(|| panic!("{name}: {} has none", kind.name));
                assert!(told.starts_with(char::is_uppercase), "{told}");
                assert!(!told.ends_with('.') && told.contains(' '), "{told}");
            }
            assert_eq!(headline(oracle.as_str(), "nonsense"), None);
        }
        assert_eq!(headline("nonsense", "differs"), None);
    }
}
