/**
 * Structured answers of bad models: every one that ends well parses, and is valid for ajv and for Python's jsonschema.
 *
 *   npm run trial:structure               10,000 seeds; SPOUT_STRUCTURE_SEEDS says how many
 *
 * One model in forty is the embedded one; the others have its tokenizer and no sense: one draws at random, one always wants white
 * space, one quotes, one never ends. One that is cut off is no failure, as it says so; an answer that says it is whole must be.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Backend, KvCache } from '../../src/backend/backend.ts'
import type { Engine } from '../../src/engine/engine.ts'
import { createLocalEngine } from '../../src/engine/local-engine.ts'
import { complete } from '../../src/open/complete.ts'
import { EMBEDDED_MODEL } from '../../src/open/embedded-model.ts'
import { openEngine } from '../../src/open/open-engine.ts'
import { loadTokenizer } from '../../src/tokenizer/load-tokenizer.ts'
import type { Tokenizer } from '../../src/tokenizer/tokenizer.ts'

const SEEDS = Number(process.env.SPOUT_STRUCTURE_SEEDS ?? 60)
const EMBEDDED_ONE_IN = 40

const text = (most: number) => ({ type: 'string', maxLength: most })
const object = (properties: Record<string, unknown>, required = Object.keys(properties)) => ({
  type: 'object',
  properties,
  required,
  additionalProperties: false,
})
const SCHEMAS: readonly object[] = [
  object({
    name: text(30),
    age: { type: 'integer', minimum: 0, maximum: 120 },
    tags: { type: 'array', items: text(8), minItems: 1, maxItems: 5 },
  }),
  object({
    id: { type: 'string', pattern: '^[A-Z]{2}-\\d{3,5}$' },
    kind: { enum: ['a', 'ab', 1, null, { k: [true] }] },
  }),
  object(
    {
      a: { type: 'number', exclusiveMinimum: 0, maximum: 0.1 },
      b: { type: 'integer', minimum: -3, maximum: 17, multipleOf: 5 },
    },
    [],
  ),
  {
    ...object({ born: { type: 'string', format: 'date' }, at: { type: 'string', format: 'date-time' } }),
    minProperties: 2,
  },
  object(
    {
      mail: { type: 'string', format: 'email', maxLength: 40 },
      ip: { type: 'string', format: 'ipv4' },
      key: { type: 'string', format: 'uuid' },
    },
    ['ip'],
  ),
  {
    type: 'array',
    items: {
      oneOf: [
        object({ kind: { const: 'cat' }, lives: { type: 'integer', minimum: 1, maximum: 9 } }),
        object({ kind: { const: 'dog' }, name: text(6) }),
      ],
    },
    maxItems: 4,
  },
  {
    $defs: {
      node: {
        type: 'object',
        properties: { v: { type: 'boolean' }, next: { anyOf: [{ $ref: '#/$defs/node' }, { type: 'null' }] } },
        required: ['v', 'next'],
        additionalProperties: false,
      },
    },
    $ref: '#/$defs/node',
  },
  {
    type: 'object',
    properties: { id: { type: 'integer' } },
    required: ['id'],
    patternProperties: { '^x-[a-z]+$': { type: 'boolean' } },
    additionalProperties: text(5),
    maxProperties: 4,
  },
  { allOf: [object({ x: { type: 'integer', minimum: 10 } }, ['x']), { properties: { x: { maximum: 99 } } }] },
  {
    type: 'array',
    prefixItems: [{ type: 'boolean' }, { enum: ['on', 'off'] }],
    items: { type: 'null' },
    minItems: 2,
    maxItems: 5,
  },
  { type: ['string', 'null', 'boolean'], minLength: 2, maxLength: 12, pattern: 'e' },
  object({
    deep: object({
      deeper: object({
        deepest: {
          type: 'array',
          items: { type: 'array', items: { type: 'integer', minimum: 0, maximum: 9 }, maxItems: 3 },
          maxItems: 3,
        },
      }),
    }),
  }),
  {
    type: 'object',
    properties: { s: { type: 'string', minLength: 1 }, free: {} },
    required: ['s'],
    additionalProperties: false,
  },
  { type: 'array', items: text(4), uniqueItems: false, minItems: 3 },
]

const KINDS = ['random', 'white space', 'quotes', 'endless'] as const
type Kind = (typeof KINDS)[number]

/** Whatever it read: logits of a hash, with what this kind of model wants above all. */
function badBackend(tokenizer: Tokenizer, endId: number, kindOf: () => Kind): Backend {
  const { vocabSize } = tokenizer
  const row = new Float32Array(vocabSize)
  const wanted = (pattern: RegExp) => {
    const pieces = Array.from({ length: vocabSize }, (_, id) => tokenizer.decode([id]))
    return pieces.flatMap((piece, id) => (piece !== '' && pattern.test(piece) ? [id] : []))
  }
  const favourites: Record<Kind, readonly number[]> = {
    random: [],
    'white space': wanted(/^\s+$/),
    quotes: wanted(/"/),
    endless: wanted(/^[ a-z\d[{,]+$/),
  }
  return {
    tokenizer,
    eosTokenId: endId,
    stopTokenIds: new Set([endId]),
    vocabSize,
    contextLength: 4096,
    prefillChunk: 512,
    exactSplits: true,
    settles: false,
    createCache: () =>
      ({
        length: 0,
        canTrim: true,
        trim(length: number) {
          this.length = length
        },
        mark: () => undefined,
        dispose: () => undefined,
      }) as KvCache & { length: number },
    async forward(ids, cache) {
      const held = cache as unknown as { length: number }
      held.length += ids.length
      let state = (Math.imul(ids.at(-1)! + 1, 2654435761) ^ Math.imul(held.length, 40503)) | 1
      for (let id = 0; id < vocabSize; id++) {
        state ^= state << 13
        state ^= state >>> 17
        state ^= state << 5
        row[id] = (state & 1023) / 128
      }
      for (const id of favourites[kindOf()]) row[id]! += 20
      if (kindOf() === 'endless') row[endId] = -30
      return { row }
    },
    dispose: async () => undefined,
  }
}

interface Outcome {
  readonly schema: number
  readonly text: string
}

const folder = mkdtempSync(join(tmpdir(), 'spout-structure-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('answers of bad models', () => {
  let embedded: Engine
  let bad: Engine
  let kind: Kind = 'random'
  const whole: Outcome[] = []
  const counts: Record<string, number> = {}

  beforeAll(async () => {
    embedded = await openEngine()
    const tokenizer = await loadTokenizer(EMBEDDED_MODEL.folder)
    const endId = 0
    const backend = badBackend(tokenizer, endId, () => kind)
    bad = createLocalEngine({ model: embedded.model, backend, defaults: {}, template: undefined })
  })
  afterAll(async () => {
    await embedded.dispose()
    await bad.dispose()
  })

  test('what ends well parses and is valid for ajv; nothing goes beyond its limit', {
    timeout: 3_600_000,
  }, async () => {
    const ajv = new Ajv2020({ strict: false, validateFormats: false })
    const valid = SCHEMAS.map((schema) => ajv.compile(schema))
    for (let seed = 1; seed <= SEEDS; seed++) {
      const isEmbedded = seed % EMBEDDED_ONE_IN === 0
      kind = KINDS[seed % KINDS.length]!
      const schema = Math.floor(seed / KINDS.length) % SCHEMAS.length
      const onLimit = seed % 3 === 0 ? 'close' : 'fail'
      const maxTokens = 120 + (seed % 180)
      const { text, structure, finishReason, tokenIds } = await complete('Once', {
        engine: isEmbedded ? embedded : bad,
        maxTokens,
        structure: { of: { kind: 'schema', schema: SCHEMAS[schema]! }, onLimit },
        sampling: {
          seed: BigInt(seed),
          temperature: [0, 0.7, 1.5][seed % 3]!,
          topP: 0.95,
          repetitionPenalty: 1.1,
        },
      })
      expect(tokenIds.length).toBeLessThanOrEqual(maxTokens)
      const name = isEmbedded ? 'embedded' : kind
      const how = structure!.isComplete ? (structure!.wasClosed ? 'closed' : 'whole') : 'not complete'
      counts[`${name}: ${how}`] = (counts[`${name}: ${how}`] ?? 0) + 1
      if (onLimit === 'close') expect([seed, structure!.isComplete]).toEqual([seed, true])
      if (!structure!.isComplete) {
        expect(finishReason).toBe('length')
        continue
      }
      expect([seed, text, valid[schema]!(JSON.parse(text))]).toEqual([seed, text, true])
      whole.push({ schema, text })
    }
    if (SEEDS > 1000) console.log(`${SEEDS} seeds, ${whole.length} whole answers`, counts)
    expect(whole.length).toBeGreaterThan(SEEDS / 3)
  })

  const hasPython = spawnSync('python3', ['-c', 'import jsonschema']).status === 0
  test.skipIf(!hasPython)(
    'and for jsonschema of Python, formats too (needs python3 with jsonschema)',
    { timeout: 600_000 },
    () => {
      writeFileSync(join(folder, 'schemas.json'), JSON.stringify(SCHEMAS))
      writeFileSync(join(folder, 'answers.jsonl'), whole.map((each) => JSON.stringify(each)).join('\n'))
      const { stdout, stderr } = spawnSync('python3', ['-W', 'ignore', '-c', PYTHON, folder], {
        encoding: 'utf8',
        maxBuffer: 1 << 28,
      })
      expect({ stdout, stderr }).toEqual({ stdout: `${whole.length} valid\n`, stderr: '' })
    },
  )
})

const PYTHON = `
import json, sys
from jsonschema import Draft202012Validator as V
folder = sys.argv[1]
checks = [V(s, format_checker=V.FORMAT_CHECKER) for s in json.load(open(folder + '/schemas.json'))]
count = 0
for line in open(folder + '/answers.jsonl', encoding='utf-8', newline='\\n'):
    each = json.loads(line)
    errors = list(checks[each['schema']].iter_errors(json.loads(each['text'])))
    if errors: print(each, errors[0].message)
    else: count += 1
print(count, 'valid')
`
