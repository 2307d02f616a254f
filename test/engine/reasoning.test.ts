/** Reasoning and answer apart, and stop texts in the answer only. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { splitReasoning } from '../../src/engine/reasoning.ts'
import { StopStrings } from '../../src/generation/stop-strings.ts'

interface Heard {
  readonly text: string
  readonly reasoning: string
  readonly stopped: boolean
  readonly onlyReasoned: boolean
}

/** What a sink hears of a model that writes these pieces, and whether it was to stop. */
async function hear(pieces: readonly string[], stopStrings: readonly string[]): Promise<Heard> {
  const heard = { text: '', reasoning: '' }
  const add = (channel: keyof typeof heard, piece: string): undefined => {
    heard[channel] += piece
  }
  const split = splitReasoning(
    {
      token: (_, piece) => add('text', piece),
      lastPiece: (piece) => add('text', piece),
      reasoning: (piece) => add('reasoning', piece),
    },
    { markers: [{ open: '<think>', close: '</think>' }], prompt: 'assistant:', stopStrings },
  )
  for (const piece of pieces) {
    await split.token(1, piece)
    if (split.stopped) break
  }
  await split.end()
  const { stopped, onlyReasoned } = split
  return { ...heard, stopped, onlyReasoned }
}

describe('a stop text', () => {
  test.each([
    [
      'in the reasoning does not count',
      '<think>let me STOP</think>The answer is STOP 42',
      'STOP',
      'The answer is ',
    ],
    ['in the line breaks between them does not count', '<think>hm</think>\n\nyes', '\n\n', 'yes'],
    ['that is a marker does not count', '<think>hm</think>yes', '</think>', 'yes'],
    ['counts in an answer without reasoning', 'one STOP two', 'STOP', 'one '],
    ['that does not come leaves all of it', '<think>S</think>one STO', 'STOP', 'one STO'],
  ])('%s', async (_, all, stop, expected) => {
    expect((await hear([...all], [stop])).text).toBe(expected)
    expect((await hear([all], [stop])).text).toBe(expected)
  })

  test('is found in the answer as if the answer stood alone, wherever the pieces are cut', async () => {
    const few = fc.string({ unit: fc.constantFrom('a', 'b', '\n', 'c'), maxLength: 12 })
    await fc.assert(
      fc.asyncProperty(
        few,
        few,
        fc.array(fc.string({ unit: fc.constantFrom('a', 'b', '\n'), minLength: 1, maxLength: 3 })),
        fc.integer({ min: 1, max: 7 }),
        async (thought, answer, stops, size) => {
          const all = `<think>${thought}</think>${answer}`
          const pieces = Array.from({ length: Math.ceil(all.length / size) }, (_, i) =>
            all.slice(i * size, (i + 1) * size),
          )
          const plain = new StopStrings(stops)
          const alone = answer.replace(/^\n+/, '')
          const expected = plain.push(alone) + plain.flush()
          const heard = await hear(pieces, stops)
          expect(heard.text).toBe(expected)
          expect(heard.stopped).toBe(plain.matched !== undefined)
          expect(heard.reasoning).toBe(thought.replace(/^\n+/, ''))
          expect(heard.onlyReasoned).toBe(heard.reasoning !== '' && expected.trim() === '')
        },
      ),
      { numRuns: 300 },
    )
  })
})
