/** Probabilities of choices beside what plain Python computes by definition (fixtures/make/scoring.py), within 1e-4. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Engine } from '../../src/engine/engine.ts'
import { makeRequest } from '../../src/engine/request.ts'
import { openEngine } from '../../src/open/open-engine.ts'
import { decide } from '../../src/scoring/decide.ts'
import { CHAT_MODEL, GOLDEN, TINY_MODEL } from '../support/models.ts'

interface AskedChoice {
  readonly model: 'spout-tiny' | 'tiny-chat'
  readonly prompt: string
  readonly empty: string
  readonly choices: readonly string[]
  readonly logprobs: readonly number[]
  readonly priors: readonly number[]
  readonly probabilities: readonly number[]
}

const asked = JSON.parse(readFileSync(join(GOLDEN, 'choices.json'), 'utf8')) as AskedChoice[]
const NEAR = 1e-4

describe.each([
  ['spout-tiny', TINY_MODEL.folder],
  ['tiny-chat', CHAT_MODEL.folder],
] as const)('choices of %s', (name, folder) => {
  let engine: Engine
  beforeAll(async () => {
    engine = await openEngine({ model: folder, dtype: 'fp32', threads: 1, prepare: false, precise: true })
  })
  afterAll(() => engine.dispose())

  const questions = asked.filter(({ model }) => model === name)
  const choose = async ({ prompt, empty }: AskedChoice, choices: readonly string[]) => {
    const [request, without] = [prompt, empty].map((text) => makeRequest({ prompt: text }))
    const result = await engine.choose({ request: request!, empty: without!, choices })
    return decide(result.choices).choices
  }

  test('are as likely as Python computes them, together and in any order', async () => {
    expect(questions).toHaveLength(50)
    const all = await Promise.all(questions.map((question) => choose(question, question.choices)))
    for (const [i, found] of all.entries()) {
      const { probabilities, logprobs, priors } = questions[i]!
      for (const [at, { probability, logprob, prior }] of found.entries()) {
        expect(Math.abs(probability - probabilities[at]!)).toBeLessThan(NEAR)
        expect(Math.abs(logprob - logprobs[at]!)).toBeLessThan(10 * NEAR)
        expect(Math.abs(prior! - priors[at]!)).toBeLessThan(10 * NEAR)
      }
    }
    for (const [i, question] of questions.slice(0, 8).entries()) {
      const turned = await choose(question, [...question.choices].reverse())
      const bestOf = (choices: typeof turned) => decide(choices).best.choice
      expect(bestOf(turned)).toBe(bestOf(all[i]!))
      for (const [at, { probability }] of [...turned].reverse().entries())
        expect(probability).toBeCloseTo(all[i]![at]!.probability, 12)
    }
  })
})
