#!/bin/sh
# Each file in one line: `examples/one-line-each.sh docs/*.md`. SPOUT_FLAGS has what else goes to spout: `SPOUT_FLAGS='-t 0'`.
#
# A loop around a model has to look at how each answer ended: 1 is an answer that never came (a model that only thought),
# 65 a text that does not fit the context; both are no reason to stop. Everything else is: no model, no memory, Ctrl-C.
set -u

for file in "$@"; do
  # --no-stdin: in a loop that reads lines, the first spout would read them all.
  line=$(spout -q --no-stdin ${SPOUT_FLAGS:-} -n 24 -f "$file" "In one line, what is this text about?")
  code=$?
  case $code in
    0) printf '%s: %s\n' "$file" "$(printf '%s' "$line" | tr '\n' ' ')" ;;
    1 | 65) printf '%s: no answer\n' "$file" ;;
    *) exit $code ;;
  esac
done
