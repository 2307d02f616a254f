/**
 * Schemas as people publish them, with documents that are valid and that are not. MASKBENCH=all goes through the whole sample and
 * says its figures, with masks of a real vocabulary; by default it is a part of it. One number is none of ours: draft 4 does not
 * count 12345.0 as an integer, and a text of ours never has it.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { GrammarConstraint } from '../../src/grammar/grammar-constraint.ts'
import { compileSchema } from '../../src/grammar/json/compile-schema.ts'
import { Automaton, DEAD } from '../../src/grammar/parser/automaton.ts'
import { Regexes } from '../../src/grammar/regex/regexes.ts'
import { Masks } from '../../src/grammar/vocabulary/masks.ts'
import { sliceVocabulary } from '../../src/grammar/vocabulary/slices.ts'
import { tokenBytesOf } from '../../src/grammar/vocabulary/vocabulary.ts'
import { loadTokenizer } from '../../src/tokenizer/load-tokenizer.ts'
import { processorTime } from '../support/processor-time.ts'
import { takesValue, ValueWriter, WRITE_STYLES } from './write-value.ts'

const FOLDER = '../shared/data/schemas/maskbench'
const TOKENIZER = '../shared/data/tokenizers/qwen3'
const here = existsSync(FOLDER)
const isWhole = process.env.MASKBENCH === 'all'

interface Sample {
  readonly schema: unknown
  readonly tests: readonly { readonly valid: boolean; readonly data: unknown }[]
}

describe.skipIf(!here)('MaskBench (needs ../shared/data)', () => {
  test('accepts nothing invalid, and rejects nothing valid without a word', {
    timeout: 600_000,
  }, async () => {
    const files = readdirSync(FOLDER)
      .filter((_, i) => isWhole || i % 40 === 0)
      .filter((file) => file !== 'Github_trivial---o14485.json')
    const counts = { right: 0, refused: 0, accepted: 0, rejected: 0, failed: 0 }
    const reasons: Record<string, number> = {}
    const wrong: string[] = []
    const times = isWhole ? await openTimes() : undefined
    for (const file of files) {
      const { schema, tests } = JSON.parse(readFileSync(`${FOLDER}/${file}`, 'utf8')) as Sample
      const started = performance.now()
      const spent = processorTime()
      let automaton: Automaton
      try {
        const { rules, start } = compileSchema(new Regexes(), JSON.stringify(schema))
        automaton = new Automaton(rules, start)
      } catch (error) {
        const message = (error as Error).message
        counts.refused++
        const reason = message
          .replace(/^schema: \S*\//, '')
          .replace(/"[^"]*"/g, (quoted) => quoted.slice(0, 30))
        reasons[reason] = (reasons[reason] ?? 0) + 1
        if (spent() > 2000) wrong.push(`${file}: ${spent()} ms until refused`)
        continue
      }
      times?.first(automaton, started)
      const verdicts = tests.map(({ valid, data }) => ({
        valid,
        accepted: WRITE_STYLES.slice(0, 1).some((style) =>
          takesValue(automaton, data, style, JSON.stringify(schema)),
        ),
      }))
      const accepted = verdicts.some((each) => each.accepted && !each.valid)
      const rejected = verdicts.some((each) => !each.accepted && each.valid)
      if (accepted) wrong.push(`${file}: accepted`)
      if (rejected) wrong.push(`${file}: rejected`)
      counts[accepted ? 'accepted' : rejected ? 'rejected' : 'right']++
      const document = tests.find(({ valid }, i) => valid && verdicts[i]!.accepted)?.data
      if (document !== undefined) times?.walk(automaton, document, JSON.stringify(schema))
    }
    if (isWhole)
      console.log(
        counts,
        Object.entries(reasons)
          .sort((a, b) => b[1] - a[1])
          .slice(0, 60),
        wrong,
        times?.figures(),
      )
    expect(wrong.filter((each) => each.endsWith('accepted'))).toEqual([])
  })
})

async function openTimes() {
  const tokenizer = await loadTokenizer(TOKENIZER)
  const started = performance.now()
  const vocabulary = sliceVocabulary(tokenBytesOf(tokenizer, [151645]))
  console.log(
    'trie ms',
    performance.now() - started,
    vocabulary.slices.map((slice) => [slice.kind, slice.most, slice.count, slice.trie.nodes.length / 2]),
  )
  const firsts: number[] = []
  const steps: number[] = []
  const worst: [number, string][] = []
  let masks: Masks
  return {
    first(automaton: Automaton, started: number) {
      masks = new Masks(automaton, vocabulary)
      const constraint = new GrammarConstraint(automaton, vocabulary, { masks })
      constraint.allowed()
      firsts.push(performance.now() - started)
    },
    walk(automaton: Automaton, document: unknown, schema: string) {
      const writer = new ValueWriter(automaton, WRITE_STYLES[0]!, schema)
      const text = writer.text(document)
      const fresh = new GrammarConstraint(automaton, vocabulary, { masks })
      for (const id of tokenizer.encode(text, { addSpecialTokens: false })) {
        const before = performance.now()
        fresh.allowed()
        const took = 1000 * (performance.now() - before)
        steps.push(took)
        if (took > 2000) worst.push([took, text.slice(0, 60)])
        fresh.accept(id)
      }
    },
    figures: () => ({
      firstMs: percentiles(firsts),
      maskUs: percentiles(steps),
      worst: worst.slice(0, 10),
      DEAD,
    }),
  }
}

function percentiles(values: number[]): Record<string, number> {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number) =>
    Math.round(1000 * sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!) / 1000
  return {
    count: sorted.length,
    mean: Math.round((sorted.reduce((a, b) => a + b, 0) / sorted.length) * 1000) / 1000,
    p50: at(0.5),
    p95: at(0.95),
    p99: at(0.99),
    max: at(1),
  }
}
