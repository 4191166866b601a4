"""Rolls the exchange back with the official Python client. Drill it:

    python3 -m venv venv && venv/bin/pip install -r examples/executors/python/requirements.txt
    cargo xtask chaos latency-regression --executor 'venv/bin/python examples/executors/python/rollback.py'

It puts the templates and the configuration back that ran before the release, waits for the rollout by a watch, and
proves the recovery by Prometheus. It does not undo migrations, holds no lease, and does not notice a second release
while it proves. The page "A Python script" of the book goes through its report.
"""

import json
import os
import pathlib
import sys
from datetime import datetime, timezone

import requests
from kubernetes import client, config, watch

NAMESPACE = os.environ["FIREDRILL_NAMESPACE"]
EVIDENCE = pathlib.Path(os.environ["FIREDRILL_EVIDENCE"])
PROMETHEUS = os.environ["PROMETHEUS_URL"]
BASELINE = "rollback-targets"
# Whoever is depended on comes first.
SERVICES = ["matching", "risk", "gateway"]
# So many requests without a failure show, with 95 % confidence, that fewer than one in 10,000 fails.
REQUESTS = 30_000
BUDGET_S = 290

# The client would go through the proxy variable, which is for Prometheus and Loki under their own names.
os.environ.pop("http_proxy", None)


class GiveUp(Exception):
    """A person has to be called."""


class World:
    """What a drill offers beside a cluster: its clock."""

    def __init__(self):
        self.server = os.environ["FIREDRILL_SERVER"]
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {os.environ['FIREDRILL_TOKEN']}"

    def _post(self, what):
        answer = self.session.post(f"{self.server}/firedrill/v1/{what}", timeout=60)
        answer.raise_for_status()
        return answer.text.strip()

    def sleep(self, seconds):
        self._post(f"sleep?seconds={seconds}")

    def now(self):
        return datetime.fromisoformat(self._post("date").replace("Z", "+00:00"))


class Rollback:
    """One rollback, with its notes."""

    def __init__(self):
        config.load_kube_config()
        self.core = client.CoreV1Api()
        self.apps = client.AppsV1Api()
        self.world = World()
        self.notes = []

    def note(self, text):
        self.notes.append(f"{self.world.now().isoformat()} {text}")

    def prepare(self):
        """Records what runs now, in the cluster, where another host finds it."""
        plain = client.ApiClient().sanitize_for_serialization
        record = {"migrations": self.migrations()}
        for service in SERVICES:
            deployment = plain(self.apps.read_namespaced_deployment(service, NAMESPACE))
            settings = self.core.read_namespaced_config_map(f"{service}-config", NAMESPACE)
            record[service] = {
                "template": deployment["spec"]["template"],
                "replicas": deployment["spec"]["replicas"],
                "config": settings.data,
            }
        body = {"metadata": {"name": BASELINE}, "data": {"record": json.dumps(record)}}
        try:
            self.core.create_namespaced_config_map(NAMESPACE, body)
        except client.ApiException as error:
            if error.reason != "Conflict":
                raise
            self.core.replace_namespaced_config_map(BASELINE, NAMESPACE, body)

    def migrations(self):
        settings = self.core.read_namespaced_config_map("dex-migrations", NAMESPACE)
        return sorted(settings.data or {})

    def save_logs(self):
        """The logs vanish with the pods."""
        for service in SERVICES:
            folder = EVIDENCE / "logs" / service
            folder.mkdir(parents=True, exist_ok=True)
            pods = self.core.list_namespaced_pod(NAMESPACE, label_selector=f"app={service}")
            for pod in pods.items:
                name = pod.metadata.name
                try:
                    log = self.core.read_namespaced_pod_log(name, NAMESPACE, timestamps=True)
                except client.ApiException as error:
                    self.note(f"the log of {name} can't be read: {error.reason}")
                    continue
                (folder / f"{name}.log").write_text(log)

    def put_back(self, service, then):
        """The configuration and the Deployment, as they were."""
        settings = self.core.read_namespaced_config_map(f"{service}-config", NAMESPACE)
        changed = settings.data != then["config"]
        if changed:
            settings.data = then["config"]
            # The resource version goes with it: a change that came between is not overwritten unread.
            self.core.replace_namespaced_config_map(f"{service}-config", NAMESPACE, settings)
            self.note(f"put the configuration of {service} back")
        live = self.apps.read_namespaced_deployment(service, NAMESPACE)
        same = client.ApiClient().sanitize_for_serialization(live)["spec"]["template"] == then["template"]
        patch = [
            {"op": "replace", "path": "/spec/template", "value": then["template"]},
            {"op": "replace", "path": "/spec/replicas", "value": then["replicas"]},
            {"op": "add", "path": "/spec/paused", "value": False},
        ]
        self.apps.patch_namespaced_deployment(service, NAMESPACE, patch)
        self.note(f"put {service} back")
        self.wait_for(service)
        if changed and same:
            self.replace_pods(service)

    def replace_pods(self, service):
        """A process reads its configuration when it starts. A restart by an annotation would leave the template changed,
        so the pods are evicted one by one."""
        for pod in self.core.list_namespaced_pod(NAMESPACE, label_selector=f"app={service}").items:
            name = pod.metadata.name
            eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
            while True:
                try:
                    self.core.create_namespaced_pod_eviction(name, NAMESPACE, eviction)
                    break
                except client.ApiException as error:
                    # The disruption budget does not allow it yet.
                    if error.status != 429:
                        raise
                self.world.sleep(1)
            self.wait_for(service)

    def wait_for(self, service):
        """Waits by a watch, as the clock of the world goes on while somebody waits for one."""
        began = self.world.now()
        while True:
            listed = self.apps.list_namespaced_deployment(NAMESPACE, field_selector=f"metadata.name={service}")
            if any(is_rolled_out(deployment) for deployment in listed.items):
                self.note(f"{service} is rolled out")
                return
            events = watch.Watch().stream(
                self.apps.list_namespaced_deployment,
                NAMESPACE,
                field_selector=f"metadata.name={service}",
                resource_version=listed.metadata.resource_version,
                timeout_seconds=60,
            )
            for event in events:
                if is_rolled_out(event["object"]):
                    self.note(f"{service} is rolled out")
                    return
            if (self.world.now() - began).total_seconds() > 60:
                raise GiveUp(f"{service} is not rolled out in time")

    def query(self, promql):
        """The number that a query gives; None without data."""
        answer = requests.get(f"{PROMETHEUS}/api/v1/query", params={"query": promql}, timeout=60)
        answer.raise_for_status()
        result = answer.json()["data"]["result"]
        return float(result[0]["value"][1]) if result else None

    def prove(self, since, end):
        """Errors and latency over the time since all is back, once enough requests have come."""
        of = f'namespace="{NAMESPACE}"'
        while True:
            now = self.world.now()
            window = f"[{int((now - since).total_seconds())}s]"
            if (now - since).total_seconds() >= 30:
                total = f'sum(increase(dex_requests_total{{{of},maintenance="false"}}{window}))'
                requests_seen = self.query(total) or 0
                failed = self.query(
                    f'sum(increase(dex_requests_total{{{of},maintenance="false",code=~"5.."}}{window})) or vector(0)'
                )
                p99 = self.query(
                    "histogram_quantile(0.99, sum by (le) (rate("
                    f"dex_request_duration_seconds_bucket{{{of}}}{window})))"
                )
                if failed is not None and failed >= 1:
                    raise GiveUp(f"{failed:.0f} requests have failed since everything is back")
                if requests_seen >= REQUESTS and p99 is not None and p99 < 0.1:
                    self.note(f"proven: {requests_seen:.0f} requests, none failed, p99 {p99:.3f} s")
                    return
            if now >= end:
                raise GiveUp("the recovery can't be proven in time")
            self.world.sleep(5)

    def run(self):
        began = self.world.now()
        stored = self.core.read_namespaced_config_map(BASELINE, NAMESPACE)
        record = json.loads(stored.data["record"])
        if record["migrations"] != self.migrations():
            raise GiveUp("the release has migrations, and this script can't undo them")
        good, bad = self.images(record)
        self.save_logs()
        for service in SERVICES:
            self.put_back(service, record[service])
        since = self.world.now()
        path = pathlib.Path(os.environ["FIREDRILL_RECOVERED_AT"])
        path.write_text(since.isoformat().replace("+00:00", "Z"))
        seconds_left = BUDGET_S - (since - began).total_seconds()
        self.prove(since, datetime.fromtimestamp(since.timestamp() + seconds_left, timezone.utc))
        self.scenario(good.split(":")[-1], bad.split(":")[-1])

    def images(self, record):
        """The image of before and that of the release, of a service that the release changed."""
        for service in SERVICES:
            good = record[service]["template"]["spec"]["containers"][0]["image"]
            live = self.apps.read_namespaced_deployment(service, NAMESPACE)
            bad = live.spec.template.spec.containers[0].image
            if good != bad:
                break
        return good, bad

    def scenario(self, good, bad):
        """A drill that reproduces the incident."""
        trigger = os.environ.get("FIREDRILL_TRIGGER", "")
        (EVIDENCE / "scenario.toml").write_text(
            f'name = "incident"\ndescription = "the release that was rolled back after {trigger}"\n\n'
            f'[release]\nfrom = "{good}"\nto = "{bad}"\n\n[expect]\ntrigger = "{trigger}"\npath = "application"\n'
        )

    def post_mortem(self, how):
        lines = "\n".join(f"- {note}" for note in self.notes)
        (EVIDENCE / "post-mortem.md").write_text(f"# Rollback of {NAMESPACE}\n\n{how}\n\n## Timeline\n\n{lines}\n")


def is_rolled_out(deployment):
    """What `kubectl rollout status` asks, and that no old pod is left."""
    status, wanted = deployment.status, deployment.spec.replicas
    return (
        status.observed_generation == deployment.metadata.generation
        and status.updated_replicas == wanted
        and status.replicas == wanted
        and status.available_replicas == wanted
    )


def main():
    rollback = Rollback()
    if os.environ["FIREDRILL_PHASE"] == "prepare":
        rollback.prepare()
        return 0
    try:
        rollback.run()
    except GiveUp as reason:
        rollback.post_mortem(f"A person was called: {reason}")
        print(reason, file=sys.stderr)
        return 1
    rollback.post_mortem("Everything is as it was before the release, and well.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
