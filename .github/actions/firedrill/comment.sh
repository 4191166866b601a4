#!/usr/bin/env bash
# Keeps one comment of a pull request up to date. It is found by a hidden marker at its beginning.
#
# GH_TOKEN: may write comments. GH_REPO: OWNER/NAME. NUMBER: of the pull request. NAME: tells this comment from others.
# TEXT: the file with the text.
set -euo pipefail
# Characters are counted, not bytes.
export LC_ALL=C.UTF-8

# What GitHub takes (`body is too long (maximum is 65536 characters)`).
most=65536

if [ ! -f "$TEXT" ]; then
  echo "there is no answer to comment"
  exit 0
fi
if [[ ! "$NAME" =~ ^[A-Za-z0-9._/-]+$ ]]; then
  echo "::error title=firedrill::the input \`name\` has letters, digits, dots, slashes, dashes and underscores only"
  exit 2
fi
marker="<!-- firedrill comment: $NAME -->"
body="$marker"$'\n'"$(cat "$TEXT")"
if [ "${#body}" -gt "$most" ]; then
  note=$'\n\n(cut to what GitHub takes; the summary of the job has all of it)'
  # A block of code that is cut must not swallow the note.
  fence=$'\n```'
  body="${body:0:most - ${#note} - ${#fence}}"
  if [ $(($(grep -c '^```' <<< "$body") % 2)) -eq 1 ]; then
    body="$body$fence"
  fi
  body="$body$note"
fi
file="$(mktemp)"
trap 'rm -f "$file"' EXIT
printf '%s' "$body" > "$file"

# A comment of somebody else is not ours, whatever it begins with. The token of a workflow may not ask who it is.
if me="$(gh api user --jq .login 2> /dev/null)"; then
  author=".user.login == \"$me\""
else
  author='.user.type == "Bot"'
fi
mine=".[] | select($author) | select(.body | startswith(\"$marker\")) | .id"
if ! found="$(gh api --paginate "repos/$GH_REPO/issues/$NUMBER/comments?per_page=100" --jq "$mine")"; then
  echo "::warning title=firedrill::the comments can't be read, so none is written"
  exit 0
fi
id="$(sed -n 1p <<< "$found")"
if [ -n "$id" ]; then
  written=(--method PATCH "repos/$GH_REPO/issues/comments/$id")
else
  written=(--method POST "repos/$GH_REPO/issues/$NUMBER/comments")
fi
if ! gh api "${written[@]}" --field "body=@$file" --silent; then
  echo "::warning title=firedrill::the comment can't be written: the token has no right to (pull-requests: write)"
fi
