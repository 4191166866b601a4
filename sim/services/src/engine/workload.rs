//! What the kubelet sees of the processes.

use contract::image;
use sim::application::Application as _;
use sim::observe::SampleText;
use sim::rng::Rng;
use sim::time::Micros;
use sim::workload::{
    ContainerResponse, ContainerStart, LogLine, ProcessId, StartOutcome, Workload,
};

use super::behaviour::Behaviour;
use super::pod::Pod;
use super::services::Services;
use crate::hooks;

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
    fn service_label(&self, namespace: &str, workload: &str, own: &str) -> String {
        let at = self.app.service(workload);
        let service = at.and_then(|at| self.app.services.get(at));
        let service = service.filter(|_| namespace == self.app.namespace);
        service.map_or(own, |it| it.app.as_str()).to_owned()
    }

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
        let text = format!(
            "starting {} {}",
            service.name,
            image::version(&container.image)
        );
        pod.log(now, "info", text, &mut self.outbox);
        if let Some(complaint) = complaint {
            pod.log(now, "error", complaint, &mut self.outbox);
        }
        let slot = self.pods.len() as u32;
        self.pods.push(pod);
        self.by_uid.insert(container.uid.clone(), slot);
        behaviour.outcome()
    }

    fn pre_stop(&mut self, now: Micros, _: ProcessId<'_>, command: &[String]) -> Micros {
        self.catch_up(now);
        hooks::takes(command)
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
            let mut text = SampleText::default();
            self.app
                .preset
                .expose(image::version(&pod.container.image), &pod.counts, &mut text);
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
        let of = |pod: &&Pod| {
            let it = &pod.container;
            it.uid == process.uid && it.container == process.container
        };
        let mut newest_first = self.pods.iter().rev().filter(of);
        let pod = newest_first.nth(usize::from(previous));
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
}
