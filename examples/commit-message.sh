#!/bin/sh
# A commit message for what is staged: `examples/commit-message.sh`, or in one go `git commit -eF <(examples/commit-message.sh)`.
# What else is said on the command line goes to spout: `examples/commit-message.sh -m org/name --seed 1`.
set -eu

git diff --cached --quiet && { echo 'nothing is staged: git add' >&2; exit 1; }

# A long diff is cut, so that it fits the context; --stop keeps it at one line, and -q keeps notes off the terminal.
git diff --cached --no-color | head -c 6000 |
  spout -q --stop "
" -n 40 "$@" "Write a commit message for this change: one line, imperative"
