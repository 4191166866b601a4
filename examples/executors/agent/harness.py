"""Lets an agent roll the exchange back through a list of tools, each of which is a kubectl command. Drill it:

    cargo xtask chaos latency-regression --seeds 20 \\
      --executor 'python3 examples/executors/agent/harness.py python3 examples/executors/agent/standin.py'

The agent is any program: it reads one JSON object per line from its standard input, what it is to know, and writes one
per line, the tool that it wants to use: {"tool": "undo", "arguments": {"service": "gateway", "revision": 1}}. What is
not in the list is refused. The harness writes down what was asked for and answered; whether that was right is judged by
the drill, from outside. The page "An agent" of the book explains what is counted.
"""

import json
import os
import pathlib
import subprocess
import sys
import urllib.parse
import urllib.request

NAMESPACE = os.environ["FIREDRILL_NAMESPACE"]
EVIDENCE = pathlib.Path(os.environ["FIREDRILL_EVIDENCE"])
BASELINE = EVIDENCE.parent / "agent-baseline.json"
SERVICES = ["matching", "risk", "gateway"]
# An agent that does not come to an end is ended.
CALLS = 80


def kubectl(*words, stdin=None):
    done = subprocess.run(["kubectl", *words], input=stdin, capture_output=True, text=True, check=False)
    return {"exit_code": done.returncode, "output": done.stdout, "errors": done.stderr}


def world(what):
    """The clock of the drill's world."""
    request = urllib.request.Request(f"{os.environ['FIREDRILL_SERVER']}/firedrill/v1/{what}", method="POST")
    request.add_header("Authorization", f"Bearer {os.environ['FIREDRILL_TOKEN']}")
    # The proxy variable is for Prometheus and Loki under their own names.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request) as answer:
        return answer.read().decode().strip()


def list_pods():
    return kubectl("get", "pods", "-o", "wide")


def list_deployments():
    return kubectl("get", "deployments", "-o", "wide")


def read_log(pod):
    answer = kubectl("logs", "--timestamps", pod)
    if answer["exit_code"] == 0:
        folder = EVIDENCE / "logs" / pod.split("-")[0]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{pod}.log").write_text(answer["output"])
        # An agent needs the end of a log, and a post-mortem all of it.
        answer["output"] = "\n".join(answer["output"].splitlines()[-20:])
    return answer


def set_trading(mode):
    return kubectl("patch", "configmap", "dex-trading", "--type=merge", "-p", json.dumps({"data": {"mode": mode}}))


def set_config(service, settings):
    patch = [{"op": "replace", "path": "/data", "value": settings}]
    return kubectl("patch", "configmap", f"{service}-config", "--type=json", "-p", json.dumps(patch))


def undo(service, revision):
    return kubectl("rollout", "undo", f"deployment/{service}", f"--to-revision={int(revision)}")


def rollout_status(service):
    return kubectl("rollout", "status", f"deployment/{service}", "--timeout=60s")


def delete_pod(pod):
    return kubectl("delete", "pod", pod, "--wait=false")


def leave_note(namespace, text):
    note = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "rollback-note"}, "data": {"note": text}}
    return kubectl("apply", "--namespace", namespace, "-f", "-", stdin=json.dumps(note))


def query(promql):
    url = f"{os.environ['PROMETHEUS_URL']}/api/v1/query?{urllib.parse.urlencode({'query': promql})}"
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url) as answer:
        return {"exit_code": 0, "output": answer.read().decode(), "errors": ""}


def wait(seconds):
    world(f"sleep?seconds={float(seconds)}")
    return {"exit_code": 0, "output": world("date"), "errors": ""}


TOOLS = {
    tool.__name__: tool
    for tool in [
        list_pods,
        list_deployments,
        read_log,
        set_trading,
        set_config,
        undo,
        rollout_status,
        delete_pod,
        leave_note,
        query,
        wait,
    ]
}


def perform(call):
    """What a tool answers. A call that is not in the list, or has other arguments, is refused."""
    tool = TOOLS.get(call.get("tool"))
    if tool is None:
        return {"exit_code": 1, "output": "", "errors": f"there is no tool {call.get('tool')!r}"}
    try:
        return tool(**call.get("arguments", {}))
    except (TypeError, ValueError, OSError) as error:
        return {"exit_code": 1, "output": "", "errors": str(error)}


def prepare():
    """What runs before the release: an agent is told, and does not have to find it out."""
    record = {}
    for service in SERVICES:
        deployment = json.loads(kubectl("get", "deployment", service, "-o", "json")["output"])
        settings = json.loads(kubectl("get", "configmap", f"{service}-config", "-o", "json")["output"])
        record[service] = {
            "revision": int(deployment["metadata"]["annotations"]["deployment.kubernetes.io/revision"]),
            "image": deployment["spec"]["template"]["spec"]["containers"][0]["image"],
            "config": settings["data"],
        }
    BASELINE.write_text(json.dumps(record))
    return 0


def write_down(how, calls, record, bad):
    """The post-mortem and a scenario, made of what was called."""
    lines = "\n".join(f"- {at} {json.dumps(call)}: exit code {code}" for at, call, code in calls)
    (EVIDENCE / "post-mortem.md").write_text(f"# Rollback of {NAMESPACE} by an agent\n\n{how}\n\n## Timeline\n\n{lines}\n")
    good, trigger = record["gateway"]["image"].split(":")[-1], os.environ.get("FIREDRILL_TRIGGER", "")
    (EVIDENCE / "scenario.toml").write_text(
        f'name = "incident"\ndescription = "the release that an agent rolled back after {trigger}"\n\n'
        f'[release]\nfrom = "{good}"\nto = "{bad}"\n\n[expect]\ntrigger = "{trigger}"\npath = "application"\n'
    )


def run(command):
    record = json.loads(BASELINE.read_text())
    gateway = json.loads(kubectl("get", "deployment", "gateway", "-o", "json")["output"])
    bad = gateway["spec"]["template"]["spec"]["containers"][0]["image"].split(":")[-1]
    task = {
        "task": "The release that was deployed last is bad. Roll the exchange back, and finish when clients are served.",
        "namespace": NAMESPACE,
        "trigger": os.environ.get("FIREDRILL_TRIGGER", ""),
        "before": record,
        "tools": sorted(TOOLS) + ["finish"],
    }
    calls = []
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as agent:
        say = task
        while len(calls) < CALLS:
            agent.stdin.write(json.dumps(say) + "\n")
            agent.stdin.flush()
            line = agent.stdout.readline()
            if not line:
                break
            call = json.loads(line)
            if call.get("tool") == "finish":
                recovered = bool(call.get("arguments", {}).get("recovered"))
                reason = str(call.get("arguments", {}).get("reason", ""))
                write_down(reason, calls, record, bad)
                if not recovered:
                    print(reason, file=sys.stderr)
                return 0 if recovered else 1
            say = perform(call)
            calls.append((world("date"), call, say["exit_code"]))
        agent.kill()
    write_down("The agent did not finish.", calls, record, bad)
    print("the agent did not finish", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(prepare() if os.environ["FIREDRILL_PHASE"] == "prepare" else run(sys.argv[1:]))
