#!/bin/bash
# Undoes a release and waits with `kubectl wait --for=condition=Available`, as many scripts do. Drill it:
#
#     cargo xtask chaos examples/executors/findings/wait-available.toml --seed 1 \
#       --runbook examples/executors/findings/runbook.md --executor 'bash examples/executors/findings/wait-available.sh'
#
# The condition says that enough pods of either release are available. With a rolling update it never stops being true,
# so the wait ends at once, and the script claims a recovery while the bad release still serves.
set -euo pipefail
if [ "$FIREDRILL_PHASE" != prepare ]; then
    kubectl rollout undo deployment/gateway
    kubectl wait deployment/gateway --for=condition=Available --timeout=120s
fi
