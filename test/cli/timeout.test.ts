/** `--timeout` fires in every step between a text and its ids, whatever keeps the thread busy there. */
import { cpSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { errorLines } from '../support/cli-rows.ts'
import { HOME, ROOT, runSpout } from '../support/run-spout.ts'

const TINY = join(ROOT, 'fixtures/models/spout-tiny')
const tokenizer = JSON.parse(readFileSync(join(TINY, 'tokenizer.json'), 'utf8'))

/** The embedded model with parts of its tokenizer changed, or with a chat template. */
function modelWith(change: object, template?: string): string {
  const folder = mkdtempSync(join(HOME, 'busy-'))
  cpSync(TINY, folder, { recursive: true })
  writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify({ ...tokenizer, ...change }))
  if (template !== undefined) writeFileSync(join(folder, 'chat_template.jinja'), template)
  return folder
}

const MB = 2 ** 20

/** Words of which hardly any comes twice. */
function words(length: number, separator = ' '): string {
  const parts: string[] = []
  for (let size = 0, i = 1; size < length; i++)
    size += parts[parts.push((i * 7919).toString(36) + separator) - 1]!.length
  return parts.join('')
}

const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false }
const added = (content: string, i: number, normalized: boolean) => ({
  ...{ id: 5000 + i, content, single_word: normalized, lstrip: normalized, rstrip: normalized },
  ...{ normalized, special: false },
})
const unigram = {
  type: 'Unigram',
  unk_id: 0,
  vocab: [
    ['<unk>', 0],
    ...Object.keys(tokenizer.model.vocab)
      .slice(1)
      .map((piece) => [piece, -10]),
  ],
}

/** Each lasts several seconds when it is left alone. */
const steps: readonly [string, object, () => string, string?][] = [
  [
    'a normalizer that goes back and back',
    { normalizer: { type: 'Replace', pattern: { Regex: '(?:a+)+b' }, content: 'x' } },
    () => 'a'.repeat(5000),
  ],
  [
    'a split that goes back and back',
    {
      pre_tokenizer: {
        type: 'Sequence',
        pretokenizers: [
          { type: 'Split', pattern: { Regex: '(?:a+)+b|.' }, behavior: 'Isolated', invert: false },
          byteLevel,
        ],
      },
    },
    () => 'a'.repeat(5000),
  ],
  ['merges in one long word', { pre_tokenizer: byteLevel }, () => words(7 * MB, '')],
  [
    'a lattice',
    { model: unigram, pre_tokenizer: null, normalizer: null, decoder: null },
    () => words(7 * MB),
  ],
  [
    'added tokens of many lengths',
    { added_tokens: Array.from({ length: 500 }, (_, i) => added(`${'a'.repeat(i + 1)}b`, i, false)) },
    () => 'a'.repeat(6 * MB),
  ],
  [
    'added tokens between words',
    { added_tokens: Array.from({ length: 50 }, (_, i) => added(`q${i}`, i, true)) },
    () => ' q1 '.repeat(2 * MB),
  ],
  [
    'a template that goes round',
    {},
    () => 'a',
    '{% for i in range(100000) %}{% for j in range(100000) %}{{ i }}{% endfor %}{% endfor %}',
  ],
  [
    'a template that looks a text up',
    {},
    () => words(2 * MB),
    "{% for i in range(100000) %}{{ 'zzz' in messages[0].content }}{{ messages[0].content | upper | length }}{% endfor %}",
  ],
]

/** One of each kind; all of them with SPOUT_BUSY_STEPS=all. */
const tried = process.env.SPOUT_BUSY_STEPS === 'all' ? steps : [0, 3, 4, 7].map((i) => steps[i]!)

test.each(tried)('[exit.124] %s', async (_, change, text, template) => {
  const argv = ['-m', modelWith(change, template), '-n', '1', '--timeout', '1']
  const { stdout, stderr, code } = await runSpout(argv, { stdin: text() })
  expect(stderr).toMatch(errorLines('timeout: not done after 1 s'))
  expect([stdout, code]).toEqual(['', 124])
})
