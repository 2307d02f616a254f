/** Perplexities beside what plain Python computes by definition: fixtures/make/scoring.py. Within 1e-4 for graphs of fp32. */
import { existsSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { openEngine } from '../../src/open/open-engine.ts'
import { GOLDEN, hasShared, SHARED } from '../support/models.ts'

const NEAR = 1e-4

interface AskedText {
  /** Below models of ../shared/data. */
  readonly model: string
  readonly corpus: string
  readonly start: number
  readonly length: number
  readonly tokens: number
  readonly loss: number
}

const texts = JSON.parse(readFileSync(join(GOLDEN, 'perplexity.json'), 'utf8')) as AskedText[]
const graphs = [...new Set(texts.map(({ model }) => model))]
const DTYPES: Readonly<Record<string, 'fp32' | 'fp16' | 'q8' | 'q4' | 'q4f16'>> = {
  ...{ '': 'fp32', _fp16: 'fp16', _quantized: 'q8', _q4: 'q4', _q4f16: 'q4f16' },
}
/** What rounds more than fp32 does, by its own: two ways through such a graph differ as much. */
const NEAR_OF = { fp32: NEAR, fp16: 0.02, q8: 0.3, q4: 0.3, q4f16: 0.3 } as const

/** Graphs that `dtype` chooses by the name of their file. */
function dtypeOf(model: string) {
  const suffix = /^(?:decoder_model_merged|model)(_\w+)?\.onnx$/.exec(basename(model))?.[1] ?? ''
  return DTYPES[suffix]
}

const within = graphs.filter((model) => dtypeOf(model) !== undefined)
const place = (model: string): string => join(SHARED, 'models', dirname(dirname(model)))

describe.skipIf(!hasShared)('perplexity (needs ../shared/data)', () => {
  test.each(within)('of texts under %s is that of Python', async (model) => {
    expect(existsSync(place(model))).toBe(true)
    const dtype = dtypeOf(model)!
    const engine = await openEngine({ model: place(model), dtype, threads: 1, prepare: false, precise: true })
    const all = texts.filter((each) => each.model === model)
    // What rounds is no measure of the definition: two texts tell whether such a graph is read at all.
    const some = dtype === 'fp32' || process.env.SPOUT_EVERY_TEXT ? all : all.slice(0, 2)
    for (const { corpus, start, length, tokens, loss } of some) {
      const text = readFileSync(join(SHARED, 'corpora', corpus), 'utf8').slice(start, start + length)
      const found = await engine.score({ text })
      expect(found.tokens).toHaveLength(tokens)
      expect(Math.abs(Math.log(found.perplexity) - loss), `${corpus} ${start}`).toBeLessThan(NEAR_OF[dtype])
    }
    await engine.dispose()
  })
})
