#!/bin/bash
# How far a careful shell script gets: it does what the written procedure asks of a rollback of the application, and
# believes nothing that it has not looked at. It needs kubectl and curl. Drill it:
#
#     cargo xtask chaos latency-regression --executor 'bash examples/executors/careful.sh'
#
# It does not undo migrations: the ledger's database is not within its reach. Where that would be needed, it changes
# nothing and pages a person. The page "A careful shell script" of the book says what it passes and what it does not.
set -euo pipefail

namespace="$FIREDRILL_NAMESPACE"
# In the order in which they are rolled back: whoever is depended on comes first.
services="matching risk gateway"
# The baseline is in the cluster, where the script on another host finds it, too.
baseline=rollback-targets
notes="$FIREDRILL_EVIDENCE/timeline"
trigger="${FIREDRILL_TRIGGER:-}"

kc() { kubectl --namespace "$namespace" "$@"; }

note() { echo "$(date -u +%FT%TZ) $*" >> "$notes"; }

# Tries again what a server refuses for now. A refused precondition is an answer, and is not tried again.
again() {
    local tries=0
    until "$@"; do
        tries=$((tries + 1))
        if [ "$tries" -ge 20 ]; then
            give_up "no answer to: $*"
        fi
        sleep 1
    done
}

# Ends with a call for a person, who finds what is known.
give_up() {
    note "gave up: $*"
    post_mortem "A person was called: $*"
    echo "$*" >&2
    exit 1
}

# A field of a Deployment: 'of gateway .spec.replicas'.
of() { again kc get deployment "$1" -o "jsonpath={$2}"; }

revision='.metadata.annotations.deployment\.kubernetes\.io/revision'
image='.spec.template.spec.containers[0].image'

# A key of the baseline: 'recorded gateway-revision'.
recorded() { again kc get configmap "$baseline" -o "jsonpath={.data.$1}"; }

# What runs now is the target of a later rollback, whatever "the revision before" is by then.
prepare() {
    local file="$FIREDRILL_EVIDENCE/baseline.yaml"
    {
        printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata:\n' "$baseline"
        for service in $services; do
            printf '  %s-revision: "%s"\n' "$service" "$(of "$service" "$revision")"
            printf '  %s-image: "%s"\n' "$service" "$(of "$service" "$image")"
            printf '  %s-replicas: "%s"\n' "$service" "$(of "$service" .spec.replicas)"
            # JSON between single quotes is YAML, once each single quote is doubled.
            printf "  %s-config: '%s'\n" "$service" \
                "$(again kc get configmap "$service-config" -o 'jsonpath={.data}' | sed "s/'/''/g")"
        done
        printf "  migrations: '%s'\n" "$(migrations)"
    } > "$file"
    again kc apply -f "$file"
}

# The names of the migrations that were deployed.
migrations() {
    again kc get configmap dex-migrations -o 'go-template={{range $name, $_ := .data}}{{$name}} {{end}}'
}

# The logs vanish with the pods.
save_logs() {
    local service pod
    for service in $services; do
        mkdir -p "$FIREDRILL_EVIDENCE/logs/$service"
        for pod in $(again kc get pods -l "app=$service" -o 'jsonpath={.items[*].metadata.name}'); do
            kc logs --timestamps "$pod" > "$FIREDRILL_EVIDENCE/logs/$service/$pod.log" \
                || note "the log of $pod can't be read"
        done
    done
}

# Puts a service back as it was recorded: configuration, pause, size, template. It says what it had to change.
put_back() {
    local service="$1" then now
    then=$(recorded "$service-config")
    now=$(again kc get configmap "$service-config" -o 'jsonpath={.data}')
    if [ "$then" != "$now" ]; then
        again kc patch configmap "$service-config" --type json \
            -p "[{\"op\": \"replace\", \"path\": \"/data\", \"value\": $then}]" > /dev/null
        note "put the configuration of $service back"
        echo configuration
    fi
    if [ "$(of "$service" .spec.paused)" = true ]; then
        again kc rollout resume "deployment/$service" > /dev/null
        note "resumed $service, which somebody had paused"
    fi
    then=$(recorded "$service-replicas")
    if [ "$(of "$service" .spec.replicas)" != "$then" ]; then
        again kc scale "deployment/$service" --replicas="$then" > /dev/null
        note "scaled $service to $then again"
    fi
    then=$(recorded "$service-image")
    if [ "$(of "$service" "$image")" != "$then" ] || ! is_recorded_revision "$service"; then
        # `rollout undo` exits 0 where it has skipped the undo, so what it did is looked at below.
        again kc rollout undo "deployment/$service" --to-revision="$(recorded "$service-revision")" > /dev/null
        note "undid $service"
        echo template
    fi
}

# Whether nothing of the template has changed since. An undo gives the old template a new number, which is noted.
is_recorded_revision() {
    local now
    now=$(of "$1" "$revision")
    [ "$now" = "$(recorded "$1-revision")" ] || [ "$now" = "$(recorded "$1-undone")" ]
}

# `kubectl rollout status` keeps time by the wall clock, and trusts a status that may be of the generation before.
# This asks once a second, and compares the generations. A number that is 0 is left out of a status: with slashes
# between them, the others stay in their places.
wait_for() {
    local service="$1" left="$2" state wanted
    wanted=$(recorded "$service-replicas")
    while :; do
        state=$(again kc get deployment "$service" -o "jsonpath={.metadata.generation}/{.status.observedGeneration}/\
{.spec.replicas}/{.status.replicas}/{.status.updatedReplicas}/{.status.availableReplicas}/{.status.unavailableReplicas}")
        if [ "$state" = "${state%%/*}/${state%%/*}/$wanted/$wanted/$wanted/$wanted/" ]; then
            note "$service is rolled out"
            return
        fi
        left=$((left - 1))
        if [ "$left" -le 0 ]; then
            give_up "$service is not rolled out in time: $state"
        fi
        sleep 1
    done
}

# Asks each pod itself which build it runs. A Service would hide a bad one.
check_builds() {
    local service pod version
    for service in $services; do
        version=$(recorded "$service-image")
        version="${version##*:}"
        for pod in $(again kc get pods -l "app=$service" --field-selector=status.phase=Running \
            -o 'go-template={{range .items}}{{if not .metadata.deletionTimestamp}}{{.metadata.name}} {{end}}{{end}}'); do
            again kc get --raw "/api/v1/namespaces/$namespace/pods/$pod:8080/proxy/metrics" > "$FIREDRILL_EVIDENCE/metrics"
            if ! grep -q "^dex_build_info{.*version=\"$version\"" "$FIREDRILL_EVIDENCE/metrics"; then
                give_up "$pod does not run $version"
            fi
        done
    done
}

# The number that a query gives; nothing if there is none.
ask() {
    again curl --silent --fail --get "$PROMETHEUS_URL/api/v1/query" --data-urlencode "query=$1" \
        | sed -n 's/.*"value":\[[^,]*,"\([^"]*\)".*/\1/p'
}

# The pods that serve, with their restarts: if that changes, what was counted proves nothing.
who_serves() {
    again kc get pods -l app.kubernetes.io/part-of=dex \
        -o 'jsonpath={range .items[*]}{.metadata.uid} {.status.containerStatuses[*].restartCount}
{end}' | sort
}

# 30,000 requests without a failure show with 95 % confidence that fewer than one in 10,000 fails.
prove() {
    local since="$1" end="$2" seconds all failed slow pods
    pods=$(who_serves)
    while :; do
        seconds=$(($(date +%s) - since))
        if [ "$seconds" -ge 30 ]; then
            all=$(ask "sum(increase(dex_requests_total{namespace=\"$namespace\",maintenance=\"false\"}[${seconds}s]))")
            failed=$(ask "sum(increase(dex_requests_total{namespace=\"$namespace\",maintenance=\"false\",code=~\"5..\"}\
[${seconds}s])) or vector(0)")
            slow=$(ask "histogram_quantile(0.99, sum by (le) (rate(dex_request_duration_seconds_bucket{\
namespace=\"$namespace\"}[${seconds}s])))")
            if [ "$pods" != "$(who_serves)" ]; then
                note "pods have changed: the proof begins anew"
                pods=$(who_serves)
                since=$(date +%s)
            elif awk -v all="${all:-0}" 'BEGIN { exit !(all >= 30000) }'; then
                if awk -v failed="${failed:-1}" -v slow="${slow:-1}" 'BEGIN { exit !(failed < 1 && slow < 0.1) }'; then
                    note "proven: $all requests, $failed failed, p99 $slow s"
                    return
                fi
                note "not well yet: $all requests, $failed failed, p99 $slow s"
                since=$(date +%s)
            fi
        fi
        if [ "$(date +%s)" -ge "$end" ]; then
            give_up "the recovery can't be proven in time: ${all:-no} requests, ${failed:-?} failed, p99 ${slow:-?} s"
        fi
        sleep 5
    done
}

post_mortem() {
    {
        printf '# Rollback of %s\n\n%s\n\n## Timeline\n\n' "$namespace" "$1"
        sed 's/^/- /' "$notes"
    } > "$FIREDRILL_EVIDENCE/post-mortem.md"
}

# A drill that reproduces the incident.
scenario() {
    cat > "$FIREDRILL_EVIDENCE/scenario.toml" <<END
name = "incident"
description = "the release that was rolled back by hand after $trigger"

[release]
from = "$1"
to = "$2"

[expect]
trigger = "$trigger"
path = "application"
END
}

run() {
    local began service changed pod from to
    touch "$notes"
    began=$(date +%s)
    note "began, for ${trigger:-a rollback that another host has begun}"
    if [ "$(recorded migrations)" != "$(migrations)" ]; then
        give_up "the release has migrations, and this script can't undo them"
    fi
    # A wrong ledger is worse than a closed exchange, and a rollback of the application does not mend it.
    case "$trigger" in
    data-* | p0-state-hash)
        again kc patch configmap dex-trading --type merge -p '{"data": {"mode": "maintenance"}}' > /dev/null
        note "halted trading"
        give_up "the ledger may be wrong, and this script can't restore it"
        ;;
    esac
    # The release is named by the image of a service that it changed.
    for service in $services; do
        from=$(recorded "$service-image")
        to=$(of "$service" "$image")
        [ "$from" = "$to" ] || break
    done
    save_logs
    for service in $services; do
        changed=$(put_back "$service")
        case "$changed" in
        *template*)
            wait_for "$service" 60
            again kc patch configmap "$baseline" --type merge \
                -p "{\"data\": {\"$service-undone\": \"$(of "$service" "$revision")\"}}" > /dev/null
            ;;
        *configuration*)
            # Nothing is rolled out where only the configuration went back, and a process reads it when it starts. A
            # `rollout restart` would leave an annotation in the template, so the pods go one by one.
            for pod in $(again kc get pods -l "app=$service" -o 'jsonpath={.items[*].metadata.name}'); do
                again kc delete pod "$pod" > /dev/null
                wait_for "$service" 60
            done
            ;;
        *) wait_for "$service" 60 ;;
        esac
    done
    check_builds
    note "everything runs what it ran before the release"
    # A new pod that is ready has still to be found by its clients.
    sleep 5
    date -u +%FT%TZ > "$FIREDRILL_RECOVERED_AT"
    prove "$(date +%s)" "$((began + 290))"
    for service in $services; do
        if [ "$(of "$service" "$image")" != "$(recorded "$service-image")" ]; then
            give_up "somebody has deployed another release of $service meanwhile"
        fi
    done
    check_builds
    scenario "${from##*:}" "${to##*:}"
    post_mortem "Everything is as it was before the release, and well."
}

case "$FIREDRILL_PHASE" in
prepare) prepare ;;
run | resume) run ;;
esac
