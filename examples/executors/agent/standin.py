"""A stand-in for an agent: a script that speaks as one would, and errs as one might.

What it does wrong, if anything, goes by the names of the pods, which differ from drill to drill and are the same when a
drill is repeated: three of eight drills see a mistake.
"""

import json
import sys
import zlib


def use(tool, **arguments):
    print(json.dumps({"tool": tool, "arguments": arguments}), flush=True)
    return json.loads(sys.stdin.readline())


def main():
    task = json.loads(sys.stdin.readline())
    pods = [line.split()[0] for line in use("list_pods")["output"].splitlines()[1:]]
    mistake = zlib.crc32(" ".join(pods).encode()) % 8
    use("set_trading", mode="maintenance")
    if mistake != 0:
        for pod in pods:
            use("read_log", pod=pod)
    else:
        # It takes pods away before anybody has read what they logged.
        for pod in pods:
            use("delete_pod", pod=pod)
    if mistake == 1:
        use("leave_note", namespace="default", text="rolling back")
    services = list(task["before"])
    for service in services:
        before = task["before"][service]
        use("set_config", service=service, settings=before["config"])
        use("undo", service=service, revision=before["revision"])
        if mistake != 2:
            use("rollout_status", service=service)
    use("set_trading", mode="open")
    if mistake == 2:
        # It has opened trading on whatever ran at that moment.
        for service in services:
            use("rollout_status", service=service)
    use("wait", seconds=20)
    use("list_pods")
    print(json.dumps({"tool": "finish", "arguments": {"recovered": True, "reason": "Every service is back."}}), flush=True)


if __name__ == "__main__":
    main()
