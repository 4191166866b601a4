//! What the kubelet sees of the processes.

use std::collections::BTreeMap;

use sim::application::Application as _;
use sim::rng::Rng;
use sim::time::Micros;
use sim::workload::{
    ContainerResponse, ContainerStart, LogLine, ProcessId, StartOutcome, Workload,
};

use super::behaviour::Behaviour;
use super::pod::Pod;
use super::services::Services;
use crate::describe::version_of;
use crate::metrics::Text;

impl Services {
    /// The service whose serving process this is.
    fn served_by(&self, container: &ContainerStart) -> Option<usize> {
        let is = |it: &crate::describe::Service| {
            it.app == container.app && it.container == container.container
        };
        self.app.services.iter().position(is)
    }

    /// The serving process of that pod, where `process` is that one.
    fn serving(&self, process: ProcessId<'_>) -> Option<u32> {
        let slot = *self.by_uid.get(process.uid)?;
        let pod = self.pods.get(slot as usize)?;
        (pod.container.container == process.container).then_some(slot)
    }

    fn is_ready(&self, pod: &Pod) -> bool {
        let services = &self.app.services;
        let reached = |needed: &usize| {
            let address = services.get(*needed).and_then(|it| it.address.as_ref());
            let at = self.addresses.iter().position(|it| Some(it) == address);
            at.and_then(|at| self.routes.get(at))
                .is_none_or(|pods| !pods.is_empty())
        };
        let needs = services.get(pod.service).map(|it| it.needs.as_slice());
        !pod.behaviour.never_ready && needs.unwrap_or_default().iter().all(reached)
    }
}

impl Workload for Services {
    fn start(&mut self, now: Micros, container: &ContainerStart) -> StartOutcome {
        self.catch_up(now);
        // Whatever else runs in a pod only runs.
        let Some(at) = self.served_by(container) else {
            return StartOutcome::Running;
        };
        let app = self.app.clone();
        let Some(service) = app.services.get(at) else {
            return StartOutcome::Running;
        };
        let (mut behaviour, mut complaint) = Behaviour::of(&app, at, service, container);
        if complaint.is_none()
            && let Some(store) = self.store_of(at)
            && let Some(line) = store.keeps_out(behaviour.reads)
        {
            behaviour.gives_up();
            complaint = Some(line);
        }
        // A stream for each start, so that one start more or less changes no other.
        let label = format!("start {} {}", container.uid, container.restart);
        let takes = service.start.0.draw(&mut Rng::derive(self.seed, &label));
        let mut pod = Pod::new(at, container, behaviour, now + takes);
        let text = format!("starting {} {}", service.name, version_of(&container.image));
        pod.log(now, "info", text, &mut self.outbox);
        if let Some(complaint) = complaint {
            pod.log(now, "error", complaint, &mut self.outbox);
        }
        let slot = self.pods.len() as u32;
        self.pods.push(pod);
        self.by_uid.insert(container.uid.clone(), slot);
        behaviour.outcome()
    }

    /// A command that sleeps takes as long as it says; any other is over at once.
    fn pre_stop(&mut self, now: Micros, _: ProcessId<'_>, command: &[String]) -> Micros {
        self.catch_up(now);
        sleeps(command)
    }

    fn terminate(&mut self, now: Micros, process: ProcessId<'_>) -> Micros {
        self.catch_up(now);
        let pod = self
            .serving(process)
            .and_then(|slot| self.pods.get(slot as usize));
        let service = pod.and_then(|pod| self.app.services.get(pod.service));
        service.map_or(Micros::ZERO, |it| it.shutdown)
    }

    fn gone(&mut self, now: Micros, process: ProcessId<'_>) {
        self.catch_up(now);
        if let Some(slot) = self.serving(process) {
            self.by_uid.remove(process.uid);
            self.dies(slot);
        }
    }

    fn get(
        &mut self,
        now: Micros,
        process: ProcessId<'_>,
        path: &str,
    ) -> Option<ContainerResponse> {
        self.catch_up(now);
        let answer = |status, body: &str| ContainerResponse {
            status,
            content_type: "text/plain; charset=utf-8",
            body: body.to_owned(),
        };
        let Some(slot) = self.serving(process) else {
            // Another process of a pod: it runs, and that is all that is known of it.
            return Some(answer(200, "ok"));
        };
        let pod = self
            .pods
            .get(slot as usize)
            .filter(|pod| pod.listens(now))?;
        if path == "/metrics" {
            let mut text = Text::default();
            self.app
                .preset
                .expose(version_of(&pod.container.image), &pod.counts, &mut text);
            return Some(answer(200, &text.0));
        }
        let service = self.app.services.get(pod.service);
        let lives = service.and_then(|it| it.live_path.as_deref()) == Some(path);
        Some(if lives || self.is_ready(pod) {
            answer(200, "ok")
        } else {
            answer(503, "not ready")
        })
    }

    fn logs(
        &mut self,
        now: Micros,
        process: ProcessId<'_>,
        since: Micros,
        previous: bool,
    ) -> Vec<LogLine> {
        self.advance(now);
        if previous {
            let of = |pod: &&Pod| {
                let it = &pod.container;
                pod.is_gone && it.uid == process.uid && it.container == process.container
            };
            return self
                .pods
                .iter()
                .rev()
                .find(of)
                .map(|pod| pod.lines(since))
                .unwrap_or_default();
        }
        let pod = self
            .serving(process)
            .and_then(|slot| self.pods.get(slot as usize));
        pod.map(|pod| pod.lines(since)).unwrap_or_default()
    }

    fn route(&mut self, now: Micros, service: &str, uids: &[String]) {
        self.catch_up(now);
        let at = self.addresses.iter().position(|it| it == service);
        if let Some(route) = at.and_then(|at| self.routes.get_mut(at)) {
            route.clear();
            route.extend(uids.iter().filter_map(|uid| self.by_uid.get(uid)).copied());
        }
    }

    fn config(&mut self, _: Micros, _: &str, _: &BTreeMap<String, String>) {}
}

/// The longest that a command is waited for: longer than any grace period that a drill could see the end of.
const SLEEP_MOST_S: f64 = 24.0 * 3_600.0;

/// How long `sleep` in a command takes: `["sleep", "5"]`, `["sh", "-c", "sleep 5; nginx -s quit"]`, `sleep 1m`.
fn sleeps(command: &[String]) -> Micros {
    let between = |c: char| c.is_whitespace() || ";&|()".contains(c);
    let words: Vec<&str> = command
        .iter()
        .flat_map(|part| part.split(between))
        .filter(|word| !word.is_empty())
        .collect();
    let mut all = Micros::ZERO;
    for pair in words.windows(2) {
        if let [program, time] = pair
            && program.rsplit('/').next() == Some("sleep")
        {
            all += seconds(time);
        }
    }
    all
}

/// An argument of `sleep`, as coreutils read it: `5`, `0.5`, `30s`, `1m`, `2h`, `infinity`; zero if it is none.
fn seconds(time: &str) -> Micros {
    const UNITS: [(char, f64); 4] = [('s', 1.0), ('m', 60.0), ('h', 3_600.0), ('d', 86_400.0)];
    let unit = UNITS
        .iter()
        .find_map(|(unit, seconds)| Some((time.strip_suffix(*unit)?, *seconds)));
    let (number, unit) = unit.unwrap_or((time, 1.0));
    let number: f64 = number.parse().unwrap_or(0.0);
    let seconds = (number * unit).clamp(0.0, SLEEP_MOST_S);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is between nothing and a day; what is no number becomes 0"
    )]
    Micros((seconds * 1e6).round() as u64)
}

#[cfg(test)]
mod tests {
    use sim::time::Micros;

    use super::sleeps;

    #[test]
    fn a_hook_sleeps_as_long_as_its_command_says() {
        for (command, ms) in [
            (&["sleep", "5"][..], 5_000),
            (&["/bin/sleep", "3s"], 3_000),
            (&["sh", "-c", "sleep 10; nginx -s quit"], 10_000),
            (&["sh", "-c", "sleep 1m && sleep 2"], 62_000),
            (&["sh", "-c", "sleep 10\nnginx -s quit\n"], 10_000),
            (&["sleep", "0.5"], 500),
            (&["sleep", "infinity"], 86_400_000),
            (&["sleep", "NaN"], 0),
            (&["sleep", "-5"], 0),
            (&["nginx", "-s", "quit"], 0),
        ] {
            let command: Vec<String> = command.iter().map(|&it| it.to_owned()).collect();
            assert_eq!(sleeps(&command), Micros::from_millis(ms), "{command:?}");
        }
    }
}
