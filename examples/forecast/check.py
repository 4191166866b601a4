#!/usr/bin/env python3
"""Holds the forecast against a cluster.

Each application of this folder is deployed, gets a bad release, and is undone with kubectl. Measured is the time from
the undo to the recovery: the rollout is complete, and no EndpointSlice hands out a pod of the bad release. The forecast
is made from the same manifests and the cluster's own nodes.

    python3 examples/forecast/check.py --context kind-firedrill --kubeconfig PATH \\
        --firedrill target/release/firedrill

The image debian:bookworm-slim must be on the nodes: `kind load docker-image debian:bookworm-slim --name firedrill`.
Exit codes: 0 every median is within the tolerance, 1 one is not, 2 it could not be measured.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
# What is measured is given up after so many seconds.
MOST_S = 600
# As the forecast names them.
CASES = ("wrong", "never-ready")


class Failed(Exception):
    """Something could not be measured."""


class Cluster:
    """kubectl with its options."""

    def __init__(self, options):
        self.namespace = options.namespace
        self.command = [options.kubectl]
        if options.kubeconfig:
            self.command += ["--kubeconfig", options.kubeconfig]
        if options.context:
            self.command += ["--context", options.context]

    def run(self, *words, stdin=None):
        done = subprocess.run(
            [*self.command, *words], input=stdin, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise Failed(f"kubectl {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout

    def get(self, *words):
        return json.loads(self.run("get", *words, "--output", "json"))

    def own(self, *words, stdin=None):
        return self.run("--namespace", self.namespace, *words, stdin=stdin)

    def own_get(self, *words):
        return json.loads(self.own("get", *words, "--output", "json"))


def is_complete(deployment):
    """As `kubectl rollout status` sees it."""
    status = deployment.get("status", {})
    replicas = deployment["spec"]["replicas"]
    count = lambda field: status.get(field, 0)
    return (
        status.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
        and count("updatedReplicas") >= replicas
        and count("replicas") <= count("updatedReplicas")
        and count("availableReplicas") >= count("updatedReplicas")
    )


def is_cut_off(cluster, app, bad):
    """Whether no EndpointSlice hands out a pod of the bad release."""
    slices = cluster.own_get("endpointslices", "--selector", f"kubernetes.io/service-name={app}")
    for item in slices["items"]:
        for endpoint in item.get("endpoints") or []:
            ready = endpoint.get("conditions", {}).get("ready", True)
            if ready and endpoint.get("targetRef", {}).get("uid") in bad:
                return False
    return True


def wait(what, holds):
    """Waits until it holds; how long that took, in seconds."""
    began = time.monotonic()
    while not holds():
        if time.monotonic() - began > MOST_S:
            raise Failed(f"{what}: not within {MOST_S} s")
        time.sleep(0.1)
    return time.monotonic() - began


def measure(cluster, app, release):
    """One bad release, undone; the seconds from the undo to the recovery."""
    deployment = lambda: cluster.own_get("deployment", app)
    complete = lambda: is_complete(deployment())
    wait(f"{app} rolls out", complete)
    time.sleep(5)
    prior = {pod["metadata"]["uid"] for pod in pods(cluster, app)}
    cluster.own("set", "env", f"deployment/{app}", f"RELEASE={release}")
    if release == "wrong":
        wait(f"{app} rolls out again", complete)
        time.sleep(5)
    else:
        time.sleep(45)
    bad = {pod["metadata"]["uid"] for pod in pods(cluster, app)} - prior
    began = time.monotonic()
    cluster.own("rollout", "undo", f"deployment/{app}")
    wait(f"{app} recovers", lambda: complete() and is_cut_off(cluster, app, bad))
    return time.monotonic() - began


def pods(cluster, app):
    return cluster.own_get("pods", "--selector", f"app={app}")["items"]


def forecast(options, cluster, manifest):
    """The forecast of one application on the cluster's nodes: case to (median, p90), in seconds."""
    nodes = cluster.get("nodes")
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "nodes.json"
        file.write_text(json.dumps(nodes))
        # The file of start times must not name what the manifest has not.
        starts = pathlib.Path(folder) / "starts.toml"
        starts.write_text(only(manifest.stem))
        words = [options.firedrill, "forecast", "-f", str(manifest), str(file)]
        words += ["--starts", str(starts), "--format", "json", "--no-changes", "--draws", "200"]
        words += ["--sync-frequency", sync_frequency(cluster, nodes)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failed(f"{' '.join(words)}: {done.stderr.strip()}")
    found = json.loads(done.stdout)["workloads"][0]
    seconds = lambda ms: None if ms is None else ms / 1000
    return {
        undo["of"]: (seconds(undo["median_ms"]), seconds(undo["p90_ms"]))
        for undo in found["undos"]
    }


def sync_frequency(cluster, nodes):
    """How often the kubelet of the first node takes up a pod of which there is no news."""
    name = nodes["items"][0]["metadata"]["name"]
    found = json.loads(cluster.run("get", "--raw", f"/api/v1/nodes/{name}/proxy/configz"))
    return found["kubeletconfig"]["syncFrequency"]


def only(app):
    """The table of one application in starts.toml."""
    tables = (HERE / "starts.toml").read_text().split("\n\n")
    own = [table for table in tables if table.startswith(f"[{app}]")]
    return "\n".join(own)


def deploy(cluster, manifest):
    """Deploys the application, and the stand-in that it runs."""
    for file in (HERE / "stand-in.yaml", manifest):
        cluster.own("apply", "--filename", str(file))


def shown(seconds):
    return "never" if seconds is None else f"{seconds:.1f} s"


def main():
    parser = argparse.ArgumentParser(description="Holds the forecast against a cluster.")
    parser.add_argument("--context", required=True)
    parser.add_argument("--kubeconfig")
    parser.add_argument("--kubectl", default="kubectl")
    parser.add_argument("--firedrill", default="firedrill")
    parser.add_argument(
        "--namespace", default="forecast-check", help="made for the measurement, and deleted after it"
    )
    parser.add_argument("--runs", type=int, default=3, help="undos of each application and case")
    parser.add_argument("--tolerance", type=float, default=15, help="percent")
    parser.add_argument("--image", help="instead of debian:bookworm-slim")
    parser.add_argument("apps", nargs="*", help="applications of this folder; none: all")
    options = parser.parse_args()
    cluster = Cluster(options)
    files = sorted(HERE.glob("*.yaml"))
    manifests = [file for file in files if file.stem != "stand-in"]
    if options.apps:
        manifests = [file for file in manifests if file.stem in options.apps]
    print("| application | the release | forecast median | p90 | measured median | runs | difference |")
    print("|---|---|---|---|---|---|---|")
    missed = 0
    try:
        cluster.run("create", "namespace", options.namespace)
        for manifest in manifests:
            app = manifest.stem
            expected = forecast(options, cluster, manifest)
            deploy(cluster, manifest)
            if options.image:
                cluster.own("set", "image", f"deployment/{app}", f"app={options.image}")
            probed = "readinessProbe" in manifest.read_text()
            for case in CASES:
                # Nobody would notice a release that does not listen, if nobody asks it.
                release = case if probed or case == "wrong" else "crashes"
                measured = [measure(cluster, app, release) for _ in range(options.runs)]
                median, p90 = expected[case]
                middle = statistics.median(measured)
                if median is None:
                    difference, misses = "–", True
                else:
                    percent = (median - middle) / middle * 100
                    # Below two seconds a look at the cluster takes as long as what is measured.
                    misses = abs(percent) > options.tolerance and abs(median - middle) > 1
                    difference = f"{percent:+.0f} %"
                missed += misses
                mark = " (misses)" if misses else ""
                print(
                    f"| {app} | {case} | {shown(median)} | {shown(p90)} | {shown(middle)} "
                    f"| {len(measured)} | {difference}{mark} |",
                    flush=True,
                )
            cluster.own("delete", "deployment", app, "--wait=true")
    except Failed as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    finally:
        subprocess.run(
            [*cluster.command, "delete", "namespace", options.namespace, "--ignore-not-found", "--wait=false"],
            check=False,
            capture_output=True,
        )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
