import { expect, test } from 'vitest'
import { prefillText } from '../../src/cli/terminal/prefill-text.ts'

test.each([
  ['nothing is known yet', 0, 1000, 0, 'reading the prompt'],
  ['it will not take long', 500, 1000, 400, 'reading the prompt'],
  ['it is done', 1000, 1000, 5000, 'reading the prompt'],
  ['some seconds', 250, 1000, 1000, 'reading the prompt: 250 of 1000 tokens, about 3 s left'],
  ['the last second', 990, 1000, 1980, 'reading the prompt: 990 of 1000 tokens, about 1 s left'],
  ['a minute', 10, 70, 10_000, 'reading the prompt: 10 of 70 tokens, about 1 min left'],
  ['minutes', 100, 10_000, 1300, 'reading the prompt: 100 of 10000 tokens, about 2 min 9 s left'],
])('%s', (_, done, total, elapsedMs, expected) => {
  expect(prefillText(done, total, elapsedMs)).toBe(expected)
})
