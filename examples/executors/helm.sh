#!/bin/bash
# The exchange as a Helm release, and its rollback by Helm. It needs helm 3 and kubectl. Drill it:
#
#     cargo xtask chaos latency-regression --executor 'bash examples/executors/helm.sh'
#
# Before the release it makes a chart of the manifests in `deploy/dex` and takes what runs over, so that Helm's history
# has a revision to go back to. The bad release comes by other hands, as in a drill of any executor. `helm rollback`
# compares three things: the revision that it knows as the current one, the one that it goes back to, and what is there.
# So it takes back what others changed in fields that the chart has, and leaves what others have added. The page "Helm's
# rollback" of the book goes through its report.
set -euo pipefail

release=exchange
namespace="$FIREDRILL_NAMESPACE"
services="matching risk gateway"
manifests="$(dirname "$0")/../../deploy/dex"
# The history is kept in ConfigMaps, where a person can read it.
export HELM_DRIVER=configmap
export HELM_CACHE_HOME="$FIREDRILL_EVIDENCE/../helm" HELM_CONFIG_HOME="$FIREDRILL_EVIDENCE/../helm"
export HELM_DATA_HOME="$FIREDRILL_EVIDENCE/../helm"

helm() { command helm --namespace "$namespace" "$@"; }

# A chart whose version of the images is a value. The halt flag is not part of it: it belongs to whoever operates.
chart() {
    local chart="$FIREDRILL_EVIDENCE/../chart"
    mkdir -p "$chart/templates"
    printf 'apiVersion: v2\nname: exchange\nversion: 1.0.0\n' > "$chart/Chart.yaml"
    printf 'version: 1.4.2\n' > "$chart/values.yaml"
    for file in "$manifests"/[123]*.yaml; do
        sed -E 's#(image: dex/[a-z]+):1\.4\.2#\1:{{ .Values.version }}#' "$file" > "$chart/templates/$(basename "$file")"
    done
    # The first document of the configuration is the halt flag.
    awk '/^---$/ { flag = 1 } flag' "$chart/templates/10-config.yaml" > "$chart/templates/config.yaml"
    rm "$chart/templates/10-config.yaml"
    echo "$chart"
}

prepare() {
    helm upgrade --install "$release" "$(chart)" --take-ownership --set version="$FIREDRILL_PRIOR_RELEASE"
    helm history "$release"
}

save_logs() {
    local service pod
    for service in $services; do
        mkdir -p "$FIREDRILL_EVIDENCE/logs/$service"
        for pod in $(kubectl get pods -l "app=$service" -o 'jsonpath={.items[*].metadata.name}'); do
            kubectl logs --timestamps "$pod" > "$FIREDRILL_EVIDENCE/logs/$service/$pod.log"
        done
    done
}

run() {
    local service bad
    bad=$(kubectl get deployment gateway -o 'jsonpath={.spec.template.spec.containers[0].image}')
    save_logs
    # `--wait` asks again and again by Helm's own clock, which the world does not follow. `rollout status` waits by a watch.
    helm rollback "$release" 1
    for service in $services; do
        kubectl rollout status "deployment/$service"
    done
    date -u +%FT%TZ > "$FIREDRILL_RECOVERED_AT"
    sleep 30
    {
        printf '# Rollback of %s by Helm\n\n## Timeline\n\n' "$namespace"
        helm history "$release" | sed 's/^/    /'
    } > "$FIREDRILL_EVIDENCE/post-mortem.md"
    cat > "$FIREDRILL_EVIDENCE/scenario.toml" <<END
name = "incident"
description = "the release that Helm rolled back after ${FIREDRILL_TRIGGER:-}"

[release]
from = "$FIREDRILL_PRIOR_RELEASE"
to = "${bad##*:}"

[expect]
trigger = "${FIREDRILL_TRIGGER:-}"
path = "application"
END
}

case "$FIREDRILL_PHASE" in
prepare) prepare ;;
run | resume) run ;;
esac
