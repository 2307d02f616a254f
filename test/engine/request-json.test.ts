import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { requestToJson } from '../../src/engine/plain-request.ts'
import { makeRequest } from '../../src/engine/request.ts'
import { requestFromJson } from '../../src/engine/request-json.ts'

const sampling = fc.record(
  {
    temperature: fc.double({ min: 0, max: 100, noNaN: true }),
    topK: fc.nat(100),
    topP: fc.double({ min: 0, max: 1, noNaN: true }),
    repetitionPenalty: fc.double({ min: 0.01, max: 100, noNaN: true }),
    logitBias: fc
      .array(fc.tuple(fc.nat(200_000), fc.double({ min: -100, max: 100, noNaN: true })))
      .map((pairs) => new Map(pairs)),
    bannedIds: fc.array(fc.nat(200_000)),
    bannedSequences: fc.array(fc.array(fc.nat(200_000), { minLength: 1 })),
    seed: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    logprobs: fc.nat(100),
  },
  { requiredKeys: [] },
)
const text = fc.string({ unit: 'grapheme', minLength: 1 }).filter((value) => value.trim() !== '')
const input = fc.record(
  {
    prompt: text,
    system: fc.string({ unit: 'binary' }),
    history: fc.array(fc.record({ role: fc.constantFrom('user', 'assistant'), content: fc.string() })),
    raw: fc.boolean(),
    allowSpecial: fc.boolean(),
    maxTokens: fc.nat(),
    stopStrings: fc.array(fc.string({ minLength: 1 })),
    stopInReasoning: fc.boolean(),
    ignoreEos: fc.boolean(),
    sampling,
    templateArgs: fc.dictionary(fc.string(), fc.oneof(fc.boolean(), fc.integer(), fc.string())),
  },
  { requiredKeys: ['prompt'] },
)

describe('a request as JSON', () => {
  test('comes back as it was, through text', () => {
    fc.assert(
      fc.property(input, (given) => {
        const request = makeRequest(given)
        const text = JSON.stringify(requestToJson(request))
        const back = requestFromJson(JSON.parse(text))
        // -0 is the one number that JSON does not keep.
        expect(withoutMinusZero(back)).toEqual(withoutMinusZero(request))
        expect(JSON.stringify(requestToJson(back))).toBe(text)
      }),
    )
  })

  test('a seed keeps all its bits, a bias stays a map', () => {
    const request = makeRequest({
      prompt: 'a',
      sampling: { seed: 2n ** 64n - 1n, logitBias: new Map([[7, -1.5]]) },
    })
    const { sampling } = requestFromJson(JSON.parse(JSON.stringify(requestToJson(request))))
    expect(sampling.seed).toBe(18_446_744_073_709_551_615n)
    expect(sampling.logitBias).toEqual(new Map([[7, -1.5]]))
  })

  const good = JSON.parse(JSON.stringify(requestToJson(makeRequest({ prompt: 'a' }))))
  test.each([
    [null, 'request: request: not an object'],
    [[], 'request: request: not an object'],
    [{ ...good, more: 1 }, 'request: more: not a field'],
    [{ ...good, raw: 'yes' }, 'request: raw: not true or false'],
    [{ ...good, text: 7 }, 'request: text: not a text'],
    [{ ...good, messages: [] }, 'request: messages: not a list of messages'],
    [{ ...good, messages: [{ role: 'user' }] }, 'request: messages[0].content: not a text'],
    [{ ...good, maxTokens: -1 }, 'request: maxTokens: not a whole number from 0'],
    [{ ...good, maxTokens: 1.5 }, 'request: maxTokens: not a whole number from 0'],
    [{ ...good, stopStrings: 'x' }, 'request: stopStrings: not a list of texts'],
    [{ ...good, stopStrings: [''] }, 'request: stopStrings: has an empty text'],
    [{ ...good, templateArgs: [] }, 'request: templateArgs: not an object'],
    [{ ...good, sampling: { seed: 5 } }, 'request: sampling.seed: not a text of digits'],
    [
      { ...good, sampling: { seed: '18446744073709551616' } },
      /^request: sampling: seed: 18446744073709551616 is not/,
    ],
    [{ ...good, sampling: { logitBias: { 1: 2 } } }, 'request: sampling.logitBias: not a list of pairs'],
    [{ ...good, sampling: { bannedIds: 3 } }, 'request: sampling.bannedIds: of another type'],
    [{ ...good, sampling: { temperature: [1] } }, 'request: sampling.temperature: of another type'],
    [{ ...good, sampling: { temperature: -1 } }, /^request: sampling: temperature: -1 is not/],
    [{ ...good, sampling: { bannedSequences: [3] } }, 'request: sampling.bannedSequences: not lists of ids'],
    [{ ...good, sampling: { hotness: 1 } }, 'request: sampling.hotness: not a field'],
  ])('refuses %j', (value, message) => {
    expect(() => requestFromJson(value)).toThrow(message)
  })
})

function withoutMinusZero<T>(value: T): T {
  if (Object.is(value, -0)) return 0 as T
  if (value instanceof Map) return new Map([...value].map((pair) => withoutMinusZero(pair))) as T
  if (Array.isArray(value)) return value.map((each) => withoutMinusZero(each)) as T
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, withoutMinusZero(each)])) as T
}
