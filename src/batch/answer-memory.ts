/** Equal requests are computed once: an answer that is known, or on its way, is given again. */
import { createHash } from 'node:crypto'
import type { GenerateRequest } from '../engine/request.ts'
import type { Answer } from '../openai/answer.ts'

/** Of the answers that are kept. */
const MOST_CHARS = 2 << 20

type Computed = Promise<Answer | undefined>

export class AnswerMemory {
  readonly #answers = new Map<string, { readonly answer: Computed; chars: number }>()
  #chars = 0

  /** The answer to a request: `compute`d where no equal one was asked lately. */
  answer(request: GenerateRequest, compute: () => Computed): { answer: Computed; isRepeat: boolean } {
    const key = keyOf(request)
    const known = this.#answers.get(key)
    if (known !== undefined) return { answer: known.answer, isRepeat: true }
    const entry = { answer: compute(), chars: 0 }
    this.#answers.set(key, entry)
    entry.answer.then(
      (answer) => {
        entry.chars = sizeOf(answer)
        this.#chars += entry.chars
        this.#forget()
      },
      () => this.#answers.delete(key),
    )
    return { answer: entry.answer, isRepeat: false }
  }

  /** The oldest go first; what is still on its way stays. */
  #forget(): void {
    for (const [key, { chars }] of this.#answers) {
      if (this.#chars <= MOST_CHARS) return
      if (chars === 0) continue
      this.#answers.delete(key)
      this.#chars -= chars
    }
  }
}

function keyOf(request: GenerateRequest): string {
  const text = JSON.stringify(request, (_, value: unknown) => {
    if (typeof value === 'bigint') return String(value)
    return value instanceof Map ? [...(value as Map<unknown, unknown>)] : value
  })
  return createHash('sha256').update(text).digest('base64')
}

/** About so much: what is around an answer counts, and a log-probability is an object of its own. */
function sizeOf(answer: Answer | undefined): number {
  if (answer === undefined) return 0
  const { text, reasoning, logprobs = [] } = answer
  const entries = logprobs.reduce((sum, { top }) => sum + 200 * (1 + top.length), 0)
  return 500 + text.length + reasoning.length + entries
}
