#!/bin/bash
# Undoes a release with `kubectl rollout undo`, and waits with `kubectl rollout status`. Drill it:
#
#     cargo xtask chaos examples/executors/findings/undo-only.toml --seed 1 \
#       --runbook examples/executors/findings/runbook.md --executor 'bash examples/executors/findings/undo-only.sh'
#
# An undo puts the pod template back, and nothing else. The configuration of the bad release stays, the pods of the old
# release start with it, and both commands end with exit code 0.
set -euo pipefail
if [ "$FIREDRILL_PHASE" != prepare ]; then
    kubectl rollout undo deployment/gateway
    kubectl rollout status deployment/gateway --timeout=120s
fi
