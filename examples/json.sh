#!/bin/sh
# A prompt in, a table out, by jq: `examples/json.sh "Once upon a time"`. How sure was the model of each word?
set -eu

# --json gives one document, --logprobs the probability of each token: the natural logarithm, so exp makes it a share.
spout -q --json --logprobs -n 8 "$@" |
  jq -r '.logprobs[] | [(.token | @json), (100 * (.logprob | exp) | round | tostring + " %")] | @tsv'
