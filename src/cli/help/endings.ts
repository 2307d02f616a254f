import type { Row } from './columns.ts'

/** Exit codes and when they happen: in `spout help endings`, the manual page and the README. */
export const ENDINGS: readonly Row[] = [
  ['0', 'finished: end token, stop text, length or context; finish_reason of --json says which'],
  [
    '1',
    'the generation failed, or ended inside the reasoning; --bench: an arm failed, or is slower than --fail-if-slower allows; verify: not equal; batch, rank, score: some lines have errors; filter: no line was printed',
  ],
  ['2', 'usage: a bad flag or value; nothing was started; filter: a line could not be judged'],
  [
    '3',
    'a structure (--schema, --regex and others) is not complete; into a pipe or a file nothing partial is written',
  ],
  ['4', 'a text does not satisfy its structure: of --check, or an answer with --schema-lenient'],
  ['65', 'bad input: the prompt is empty, not UTF-8, or longer than the context'],
  ['66', 'a model, a revision or a file was not found (offline: is not in the cache)'],
  ['69', 'the hub cannot be reached'],
  ['70', 'a bug of spout'],
  ['71', 'out of memory, descriptors or threads'],
  ['73', 'the cache cannot be written'],
  ['74', 'the output cannot be written'],
  ['75', 'try later: the hub limits the rate; batch -o: stopped by --timeout, the same command goes on'],
  ['76', 'the hub answered inconsistently: size, hash or headers'],
  ['77', 'not allowed: a private or gated model, or a bad token'],
  ['78', 'a model file or the configuration file is invalid or not supported'],
  ['124', '--timeout expired; the text so far was delivered'],
  [
    '129 130 143',
    'died of SIGHUP, SIGINT or SIGTERM; the text so far was delivered (nohup: SIGHUP does nothing)',
  ],
  ['141', 'the reader of the output went away, as in | head -1'],
]
