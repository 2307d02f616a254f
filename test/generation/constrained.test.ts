/** A text held to a structure: what is forced may be run ahead, and never changes what comes out. */
import { Ajv } from 'ajv'
import { describe, expect, test } from 'vitest'
import type { Backend, KvCache } from '../../src/backend/backend.ts'
import { runForward } from '../../src/backend/run-forward.ts'
import { generate } from '../../src/generation/generate.ts'
import { Sequence } from '../../src/generation/sequence.ts'
import { TextOut } from '../../src/generation/text-out.ts'
import { TokenOutputStream } from '../../src/generation/token-output-stream.ts'
import type { Constraint } from '../../src/grammar/constraint.ts'
import { openConstraint, type Structure } from '../../src/grammar/structure.ts'
import { sliceVocabulary } from '../../src/grammar/vocabulary/slices.ts'
import { tokenBytesOf } from '../../src/grammar/vocabulary/vocabulary.ts'
import { createSampler } from '../../src/sampling/sampler.ts'
import type { SamplingOptions } from '../../src/sampling/sampling-params.ts'
import { BYTE_EOS, byteTokenizer } from '../support/byte-tokenizer.ts'
import { collectingSink } from '../support/collecting-sink.ts'

const SEEDS = Number(process.env.SPOUT_SEEDS ?? 60)
const { vocabSize } = byteTokenizer
const VOCABULARY = sliceVocabulary(tokenBytesOf(byteTokenizer, [BYTE_EOS]))
const SCHEMA = {
  type: 'object',
  properties: {
    name: { type: 'string', maxLength: 12 },
    kind: { enum: ['first', 'second', 'third'] },
    count: { type: 'integer', minimum: 0, maximum: 500 },
    parts: { type: 'array', items: { enum: ['left', 'right'] }, maxItems: 3 },
  },
  required: ['name', 'kind', 'count', 'parts'],
  additionalProperties: false,
}
const RECORD: Structure = { kind: 'schema', schema: JSON.stringify(SCHEMA) }

interface HeldCache extends KvCache {
  readonly held: number[]
}

function heldCache(): HeldCache {
  const held: number[] = []
  return {
    held,
    get length() {
      return held.length
    },
    canTrim: true,
    trim: (length) => void held.splice(length),
    mark: () => undefined,
    dispose: () => undefined,
  }
}

/** Scores that depend on every id before: what is left over in a cache shows. */
function chainedBackend(): Pick<Backend, 'forward'> {
  const row = new Float32Array(vocabSize)
  return {
    async forward(ids, cache) {
      const { held } = cache as HeldCache
      held.push(...ids)
      let hash = 7
      for (const id of held) hash = (Math.imul(hash, 31) + id + 1) >>> 0
      for (let id = 0; id < row.length; id++)
        row[id] = ((Math.imul(hash + id, 2654435761) >>> 0) % 1000) / 100
      return { row }
    },
  }
}

interface Setup {
  readonly constraint: Constraint
  readonly seed: number
  readonly jump: boolean
  readonly budget?: number
  readonly sampling?: SamplingOptions
}

async function write({ constraint, seed, jump, budget = 400, sampling = {} }: Setup) {
  const runner = runForward(chainedBackend())
  const kv = heldCache()
  const sink = collectingSink()
  const text = new Sequence({
    kv,
    prompt: Int32Array.of(65, 66, 67 + (seed % 50)),
    sampler: createSampler(
      { temperature: 1.5, seed: BigInt(seed), repetitionPenalty: 1.2, ...sampling },
      { vocabSize, stopTokenIds: [BYTE_EOS] },
      [],
      constraint,
    ),
    constraint,
    jump,
    out: new TextOut(new TokenOutputStream(byteTokenizer), sink),
    limits: { budget, atBudget: 'length', stopIds: new Set([BYTE_EOS]) },
  })
  let runs = 0
  for (; text.finished === undefined; runs++) {
    const rows = runner.run([text.next(64)])
    text.foresee()
    await text.take(await rows, 0)
  }
  await text.end()
  const { finished, forced } = text
  return { ids: [...text.chosen], finished, forced, text: sink.text, held: [...kv.held], runs }
}

describe('forced ids that are run ahead', () => {
  const valid = new Ajv().compile(SCHEMA)

  test('the same ids, and what is in the cache, over seeds; fewer runs', async () => {
    let [drafted, plainRuns, jumpRuns] = [0, 0, 0]
    for (let seed = 1; seed <= SEEDS; seed++) {
      const plain = await write({ constraint: openConstraint(RECORD, VOCABULARY), seed, jump: false })
      const jumped = await write({ constraint: openConstraint(RECORD, VOCABULARY), seed, jump: true })
      const { forced, runs, ...same } = jumped
      expect(same).toMatchObject({ ids: plain.ids, finished: plain.finished, text: plain.text })
      expect(same.held).toEqual(plain.held)
      expect(plain.forced).toMatchObject({ drafted: 0, rejected: 0, forced: forced.forced })
      if (same.finished === 'stop') expect(valid(JSON.parse(same.text))).toBe(true)
      drafted += forced.drafted
      plainRuns += plain.runs
      jumpRuns += runs
    }
    expect(drafted).toBeGreaterThan(20 * SEEDS)
    expect(jumpRuns).toBeLessThan(0.6 * plainRuns)
  })

  test('a guess that the sampler does not choose is taken back', async () => {
    // `ab` is one token beside `a` and `b`: what is forced may come either way.
    const one: Structure = { kind: 'choice', choices: ['x: abababab!'] }
    const both: Structure = { kind: 'regex', regex: 'x: abababab[!?]' }
    for (const structure of [one, both]) {
      const [plain, jumped] = [false, true].map((jump) =>
        write({ constraint: openConstraint(structure, VOCABULARY), seed: 3, jump }),
      )
      expect((await jumped!).text).toBe((await plain!).text)
    }
  })
})

test('before each choice it is told how many ids are left, that one among them', async () => {
  const told: (number | undefined)[] = []
  const constraint: Constraint = {
    left: 0,
    isComplete: false,
    mustEnd: false,
    allowed: () => undefined,
    propose: () => 0,
    accept() {
      told.push(this.left)
    },
  }
  const { ids } = await write({ constraint, seed: 5, jump: true, budget: 6 })
  expect(told).toEqual([6, 5, 4, 3, 2, 1].slice(0, ids.length))
  expect(ids.length).toBeGreaterThan(3)
})

test.each([
  { exactRows: true, jump: undefined, ahead: true },
  { exactRows: true, jump: false, ahead: false },
  { exactRows: false, jump: true, ahead: false },
])(
  'what is forced runs ahead where rows are exact, unless told otherwise: %o',
  async ({ exactRows, jump, ahead }) => {
    const forward = chainedBackend()
    const backend = {
      ...forward,
      runner: { ...runForward(forward), numerics: { exactRows } },
      tokenizer: byteTokenizer,
      contextLength: 1000,
      prefillChunk: 64,
      stopTokenIds: new Set([BYTE_EOS]),
      vocabSize,
    } as unknown as Backend
    const constraint = openConstraint({ kind: 'regex', regex: 'always[ab]the same' }, VOCABULARY)
    const sampler = createSampler({}, { vocabSize, stopTokenIds: [BYTE_EOS] }, [], constraint)
    const sink = collectingSink()
    const text = { backend, cache: heldCache(), promptIds: Int32Array.of(65), sampler, sink, maxTokens: 0 }
    const { structure } = await generate({ ...text, constraint, jump })
    expect(sink.text).toMatch(/^always[ab]the same$/)
    expect(structure!.drafted > 0).toBe(ahead)
  },
)

test('a text that must end is not asked of the model any more', async () => {
  const { text, finished, runs, ids } = await write({
    constraint: openConstraint({ kind: 'choice', choices: ['yes'] }, VOCABULARY),
    seed: 1,
    jump: false,
  })
  expect({ text, finished, runs: runs - ids.length }).toEqual({ text: 'yes', finished: 'stop', runs: 0 })
})

test('min-new-tokens and bans cannot keep it from what it must write', async () => {
  const { text, finished } = await write({
    constraint: openConstraint({ kind: 'regex', regex: '(yes)?' }, VOCABULARY),
    seed: 1,
    jump: false,
    sampling: { minNewTokens: 50, bannedIds: [0x79] },
  })
  expect([['', 'yes'], 'stop']).toEqual([expect.arrayContaining([text]), finished])
})
