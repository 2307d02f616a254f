import type { Row } from './columns.ts'

/** The fields of `--json`, in its order; an indented name is a field of the one before: in `spout help json`. */
export const JSON_FIELDS: readonly Row[] = [
  ['model', 'its name or folder'],
  ['revision', 'the commit on the hub; null for a folder'],
  ['dtype', 'of the weights'],
  ['text', 'the answer'],
  ['value', 'with a structure of JSON: the document of the text; of --items a list of them'],
  ['reasoning', 'what the model thought aloud; only where it did, and not with --think hide'],
  ['finish_reason', 'stop: the end token; stop-string: a text of --stop; length: a limit; aborted: a signal'],
  ['runs', 'what ran it; in --dry-run what would, null while the model is not cached'],
  [
    '  device',
    'cpu, gpu, or gpu-recorded where the commands of a step are recorded; remote, with servers alone',
  ],
  [
    '  kernels',
    'matmul and attention: own or onnxruntime; isa: the instruction set of the own; why: not all are',
  ],
  ['  prepared', 'whether what was prepared before was used'],
  ['  threads', 'of the processor'],
  ['  runtime', 'the binding to ONNX Runtime'],
  ['  not_taken', 'faster ways that failed, each with way and why'],
  ['template', 'chat: through the chat template; raw: not, by --raw; none: the model has none'],
  ['sampling', "what chose the tokens, by the flags' names: the author's defaults under what was asked for"],
  ['seed', 'a text of digits, for a number of 64 bits is more than JSON readers keep: --seed repeats it'],
  ['token_ids', 'ids of the answer; null where a server does not tell them, as its seed'],
  ['usage', 'tokens'],
  ['  prompt_tokens', 'of the prompt, with what the chat template adds'],
  ['  prompt_tokens_details', 'cached_tokens: those that were computed before, by this process or another'],
  ['  completion_tokens', 'of the answer'],
  ['drafts', 'drafted and accepted guesses, and steps; null where nothing was guessed'],
  ['timings', 'in milliseconds; null where nothing was measured'],
  ['  load_ms', 'from the start of the process to the model being ready'],
  ['  prefill_ms', 'reading the prompt'],
  ['  ttft_ms', 'from the start of the process to the first text'],
  ['  decode_ms', 'from the end of the prompt to the last token'],
  ['  prefill_tps', 'tokens of the prompt per second'],
  ['  decode_tps', 'tokens per second, the first left out: it comes with the prompt'],
  ['logprobs', 'with --logprobs: one entry per token'],
  ['  id', 'of the token'],
  ['  token', 'its text, by itself: U+FFFD for a part of a character'],
  ['  bytes', 'the same as bytes of UTF-8, which can be joined'],
  ['  logprob', 'ln of its probability, before any penalty, mask, temperature or filter'],
  ['  top', 'with --logprobs k: the k likeliest, each with id, token, bytes and logprob'],
]

/** What is another in the document of `--samples`. */
export const SAMPLES_FIELDS: readonly Row[] = [
  ['samples', 'in place of text, finish_reason, seed, token_ids, timings, logprobs: for each answer its own'],
  ['usage', 'tokens of the prompt, which was computed once, and of all answers together'],
]

/** The document of `--choices`. */
export const CHOICES_FIELDS: readonly Row[] = [
  ['text', 'what was written: the choice, or the text of --else'],
  ['choice', 'the likeliest'],
  ['probability', 'its own; of all choices together 1'],
  ['margin', 'how far it is before the next'],
  ['unsure', 'whether --else was written'],
  ['choices', 'each with probability, logprob (the end token with it) and prior (with an empty input)'],
  ['calibration', 'temperature, threshold and examples of --calibrate; null without: not calibrated'],
  ['usage', 'tokens of the question'],
]

/** The events of `--jsonl`. */
export const JSON_EVENTS: readonly Row[] = [
  ['start', 'model, revision, dtype'],
  [
    'token',
    'id, and the text that became certain with it; reasoning where there is some; with --logprobs also token, bytes, logprob and top. An id of null: text that was held back',
  ],
  ['end', 'the document of --json, without logprobs'],
  ['error', 'in place of end: error, as below'],
]
