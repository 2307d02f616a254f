import type { FlagGroup } from '../flags.ts'
import { columns, type Row, wrap } from './columns.ts'
import { ENDINGS } from './endings.ts'
import { environmentRows } from './environment.ts'
import { groupHelp, optionsHelp, page, section } from './help-text.ts'
import { CHOICES_FIELDS, JSON_EVENTS, JSON_FIELDS, SAMPLES_FIELDS } from './json-fields.ts'
import { manPage } from './man-page.ts'

interface Topic {
  readonly name: string
  readonly summary: string
  /** What else it may be asked for as. */
  readonly also?: readonly string[]
  text(): string
}

/** The pages of `spout help <topic>`. */
export const TOPICS: readonly Topic[] = [
  { name: 'options', summary: 'every option', text: () => optionsHelp() },
  topicOf('model', 'which model runs, and from where', [
    'The embedded model is for trying things out: it writes, and knows nothing. A model of the hub is named ' +
      'org/name, or org/name@revision for one branch, tag or commit; a path of a folder that exists is that folder.',
  ]),
  topicOf('prompt', 'what the model is given', [
    'The prompt is made of files, then what is piped in, then the words of the command line, a blank line between ' +
      'them: a document first, what to do with it last. One newline at the end of a file or of stdin is dropped. ' +
      'A word - of its own, or -f -, names stdin.',
    'A model with a chat template gets the prompt as a message of the user; --raw, or a model without one, ' +
      'continues the text. Text that looks like a special token stays text, unless --allow-special.',
  ]),
  topicOf('length', 'when the answer ends', [
    'An answer ends with the end token of the model, before a text of --stop, after --max-tokens, or when the ' +
      'context is full. A text that a limit has cut which nobody asked for is said to be cut, on stderr.',
  ]),
  topicOf(
    'structure',
    'answers that always parse',
    [
      "--schema 'name, age int 0..120, tags [str] 1..5' gives JSON of these fields: whole and valid, or exit code 3 and nothing. " +
        'A schema may also be JSON Schema, or in a file. --items gives many, a line each; --choice one of some texts; --regex and ' +
        '--grammar any text of a form. What cannot be enforced is refused before anything is loaded.',
      'A chat model is told of the schema in its system message; what it thinks first is free. Put lengths into a schema: without ' +
        'maxItems and maxLength an answer can run to the limit. --on-limit close ends it in time. Valid is not true.',
    ],
    ['regex', 'grammar', 'format'],
  ),
  topicOf(
    'scoring',
    'which of some answers is the likeliest',
    [
      '--choices yes,no writes the choice that the model holds to be likeliest, the end of the answer with it. Nothing is drawn and ' +
        'nothing is masked: all choices are computed in one run, and --json tells the probability of each. --choice yes --choice no ' +
        'in turn lets the model write token by token, and masks what leads to neither; it can be drawn, and tells no probabilities.',
      'What is as likely with an empty input says nothing of the input: it is taken off, unless --no-choice-prior. The input is what ' +
        'is piped in or in files, the words are the question. Probabilities are not calibrated: --calibrate fits them to labelled inputs.',
      'Lines, many at once: spout filter prints those that are as a criterion says, spout rank sorts them, spout score tells how likely texts are.',
    ],
    ['choices', 'classify', 'perplexity'],
  ),
  topicOf('sampling', 'how each token is chosen', [
    "Defaults are the author's: those of the model's generation_config.json, greedy where it has none. The steps run " +
      'in one order: penalties, logit bias, bans, the mask of a structure, temperature, top-k, top-p, min-p, typical-p, draw.',
  ]),
  topicOf('output', 'where the answer goes, and as what', [
    'stdout holds the answer and nothing else; everything else is on stderr. On a terminal control characters of the ' +
      'model are shown as \\x1b; a pipe or a file gets them as they are.',
  ]),
  topicOf(
    'measure',
    'how fast it is, and whether B is faster than A',
    [
      '--bench alone first says how fast the model is here: prefill, decode, first byte, memory.',
      '--bench measures instead of answering: the same prompt and so many tokens, greedy, by several arms in turn, in ' +
        'shuffled pairs after a warm-up. Arms that are here do one thing as it was done before it was repaired, or are ' +
        "whole engines; --bench-arm q4='--dtype q4' --bench-arm q8='--dtype q8' compares settings. The report on stdout says " +
        'what is faster, what is slower, what makes no difference, and what would need more pairs.',
    ],
    ['bench', 'benchmark'],
  ),
  {
    name: 'json',
    summary: 'the fields of --json and --jsonl',
    also: ['jsonl', 'logprobs', 'samples'],
    text: () =>
      page([
        paragraph(
          '--json writes one document when the answer is complete, --jsonl an event per line as it comes.',
        ),
        section('The document', JSON_FIELDS),
        section('The document of --samples n', SAMPLES_FIELDS),
        section('The document of --choices', CHOICES_FIELDS),
        section('Events', JSON_EVENTS),
        paragraph(
          'A failure is {"error": {"code", "exit", "message"}} on stdout; exit is the exit code, code its word.',
        ),
      ]),
  },
  {
    name: 'endings',
    summary: 'exit codes',
    also: ['exit', 'errors', 'codes'],
    text: () => page([section('Exit codes', ENDINGS)]),
  },
  {
    name: 'environment',
    summary: 'variables',
    also: ['env', 'variables'],
    text: () => page([section('Environment', environmentRows())]),
  },
  { name: 'man', summary: 'the manual page: spout help man | man -l -', text: manPage },
  {
    name: 'topics',
    summary: 'this list',
    text: () => page([columns(TOPICS.map(({ name, summary }): Row => [name, summary]))]),
  },
]

/** The page of a name, whatever it is asked for as. */
export function findTopic(word: string): Topic | undefined {
  return TOPICS.find(({ name, also = [] }) => name === word || also.includes(word))
}

function topicOf(
  name: string,
  summary: string,
  paragraphs: readonly string[],
  also: readonly string[] = [],
): Topic {
  const group = (name[0]!.toUpperCase() + name.slice(1)) as FlagGroup
  return {
    name,
    summary,
    also,
    text: () => page([...paragraphs.map(paragraph), ...groupHelp(group)]),
  }
}

function paragraph(text: string): string {
  return wrap(text).join('\n')
}
