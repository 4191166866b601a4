#!/bin/bash
# The written procedure as a plain shell script: kubectl, flyway and `rollback db`, and nothing else. It does what a
# person would type, and checks what a person would look at. Drill it:
#
#     cargo xtask chaos latency-regression --executor 'bash examples/executors/procedure.sh'
#
# It is an example of what such a script gets right and wrong, not a recommendation: the page "Drill your own executor"
# of the book goes through its report.
set -euo pipefail

services="gateway matching risk"
changed="$FIREDRILL_EVIDENCE/changed"

# Which version the ledger's schema has.
schema() {
    flyway info | sed -n 's/^Schema version: //p'
}

# Which revision of each service runs before the release: "the revision before" is not safe to go by. The deployment
# itself takes the snapshot `before_release`.
prepare() {
    schema > "$FIREDRILL_EVIDENCE/../schema"
    for service in $services; do
        kubectl get deployment "$service" \
            -o jsonpath='{.metadata.annotations.deployment\.kubernetes\.io/revision}' > "$FIREDRILL_EVIDENCE/../revision-$service"
    done
}

run() {
    # 1. Halt trading, so that no order meets a half-rolled exchange.
    kubectl patch configmap dex-trading --type merge -p '{"data":{"mode":"maintenance"}}'

    # 2. Keep the bad release's logs: they are gone with its pods.
    for service in $services; do
        mkdir -p "$FIREDRILL_EVIDENCE/logs/$service"
        for pod in $(kubectl get pods -l "app=$service" -o jsonpath='{.items[*].metadata.name}'); do
            kubectl logs --timestamps "$pod" > "$FIREDRILL_EVIDENCE/logs/$service/$pod.log" || true
        done
    done

    # 3. Did the release change the database? Then its migrations go first: by their undo scripts, and where one is
    #    missing or fails, by the snapshot, whose order log is brought up to date.
    if [ "$(schema)" != "$(cat "$FIREDRILL_EVIDENCE/../schema")" ]; then
        flyway info
        while [ "$(schema)" != "$(cat "$FIREDRILL_EVIDENCE/../schema")" ]; do
            flyway undo || break
        done
        if [ "$(schema)" != "$(cat "$FIREDRILL_EVIDENCE/../schema")" ]; then
            rollback db fence
            rollback db restore --snapshot before_release
            rollback db replay --log
            rollback db unfence
        fi
        flyway validate || true
    fi

    # 4. Undo what the release changed.
    : > "$changed"
    for service in $services; do
        before=$(cat "$FIREDRILL_EVIDENCE/../revision-$service")
        now=$(kubectl get deployment "$service" -o jsonpath='{.metadata.annotations.deployment\.kubernetes\.io/revision}')
        if [ "$before" != "$now" ]; then
            kubectl rollout undo "deployment/$service" --to-revision="$before"
            echo "$service" >> "$changed"
        fi
    done
    while read -r service; do
        kubectl rollout status "deployment/$service" --timeout=120s
    done < "$changed"

    # 5. Open trading again.
    kubectl patch configmap dex-trading --type merge -p '{"data":{"mode":"open"}}'
    # A gateway looks at the flag every few seconds.
    sleep 10
    date -u +%FT%TZ > "$FIREDRILL_RECOVERED_AT"

    # 6. Is it well? A person would look at the dashboards for a while.
    sleep 30
    kubectl get pods
}

case "$FIREDRILL_PHASE" in
prepare) prepare ;;
run | resume) run ;;
esac
