#!/usr/bin/env bash
# Runs firedrill, and says its exit code and where its text is. Later steps comment and judge, so it fails for nothing but
# what it is told wrongly.
#
# COMMAND, ARGUMENTS, BASELINE, CANDIDATE, MANIFESTS, REPORT: the inputs of the action.
set -euo pipefail

# Split at blanks, and nothing else: a word is neither a pattern nor a command.
read -r -a words <<< "$ARGUMENTS"
code=0
case "$COMMAND" in
  chaos)
    text="$REPORT/summary.md"
    firedrill chaos "${words[@]}" --report "$REPORT" || code=$?
    ;;
  verify)
    text="$REPORT/verify.md"
    if [ -z "$BASELINE" ]; then
      echo "::error title=firedrill::this event has no base commit: give the input \`baseline\`"
      exit 2
    fi
    firedrill runbook verify --baseline "$BASELINE" --candidate "$CANDIDATE" "${words[@]}" --report "$REPORT" || code=$?
    ;;
  forecast)
    text="$REPORT/forecast.md"
    against=()
    if [ -n "$BASELINE" ]; then
      if ! git cat-file -e "$BASELINE^{commit}" 2> /dev/null; then
        echo "::error title=firedrill::$BASELINE is not in the history: check out with \`fetch-depth: 0\`"
        exit 2
      fi
      # A path that is new has nothing to compare with.
      if git cat-file -e "$BASELINE:./$MANIFESTS" 2> /dev/null; then
        old="$(mktemp -d)"
        trap 'rm -rf "$old"' EXIT
        git archive "$BASELINE" -- "$MANIFESTS" | tar -x -C "$old"
        against=(--against "$old/$MANIFESTS")
      fi
    fi
    firedrill forecast -f "$MANIFESTS" "${against[@]}" "${words[@]}" --report "$REPORT" || code=$?
    ;;
  *)
    echo "::error title=firedrill::the input \`command\` is chaos, verify or forecast"
    exit 2
    ;;
esac
if [ -f "$text" ]; then
  cat "$text" >> "$GITHUB_STEP_SUMMARY"
fi
{
  echo "code=$code"
  echo "text=$text"
} >> "$GITHUB_OUTPUT"
