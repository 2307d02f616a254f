/**
 * What must come is run ahead, and changes no id: over seeds, on a real model.
 *
 *   npm run trial:jump                    1,000 seeds; SPOUT_JUMP_SEEDS says how many
 *   SPOUT_JUMP_MODEL=FOLDER               on another model than the embedded one
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Engine } from '../../src/engine/engine.ts'
import type { LooseStructure } from '../../src/engine/structure-request.ts'
import { readFields } from '../../src/grammar/notations/fields.ts'
import { complete } from '../../src/open/complete.ts'
import { openEngine } from '../../src/open/open-engine.ts'

const SEEDS = Number(process.env.SPOUT_JUMP_SEEDS ?? 4)

const SCHEMAS = [
  'identifier int 0..9999, temperature_celsius float, quality low|medium|high, approved bool, kind a|b|c',
  'position {latitude float, longitude float}, readings [int 0..99] 1..4, unit metres|kilometres',
  'title str 1..20, summary str 1..30, language english|german, pages int 1..900',
]
const STRUCTURES: readonly LooseStructure[] = [
  ...SCHEMAS.map((fields) => ({ kind: 'schema' as const, schema: readFields(fields) })),
  {
    kind: 'regex',
    regex: 'The answer is (certainly|probably|not at all) (right|wrong), by \\d{1,3} per cent\\.',
  },
]

let engine: Engine
beforeAll(async () => {
  const model = process.env.SPOUT_JUMP_MODEL
  engine = await openEngine(model === undefined ? {} : { model, offline: true })
}, 120_000)
afterAll(() => engine.dispose())

test('the same ids with and without, over seeds', { timeout: 3_600_000 }, async () => {
  let [drafted, rejected, forced, chosen] = [0, 0, 0, 0]
  for (let seed = 1; seed <= SEEDS; seed++) {
    const of = STRUCTURES[seed % STRUCTURES.length]!
    const write = (jump: 'auto' | 'off') =>
      complete('Once upon a time', {
        ...{ engine, raw: true, maxTokens: 90 + (seed % 60) },
        structure: { of, jump, onLimit: 'close' },
        sampling: {
          seed: BigInt(seed),
          temperature: [0, 0.8, 1.5][seed % 3]!,
          topP: 0.95,
          repetitionPenalty: 1.1,
        },
      })
    const [ahead, plain] = [await write('auto'), await write('off')]
    expect([seed, ahead.tokenIds, ahead.finishReason, ahead.text]).toEqual([
      ...[seed, plain.tokenIds, plain.finishReason, plain.text],
    ])
    expect(plain.structure).toMatchObject({ drafted: 0, rejected: 0, forced: ahead.structure!.forced })
    drafted += ahead.structure!.drafted
    rejected += ahead.structure!.rejected
    forced += ahead.structure!.forced
    chosen += ahead.tokenIds.length
  }
  if (SEEDS >= 1000) console.log({ seeds: SEEDS, chosen, forced, drafted, rejected })
  expect(drafted).toBeGreaterThan(SEEDS)
})
