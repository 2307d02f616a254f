/** Server-sent events, whatever their line ends and wherever they are cut. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { EventReader } from '../../src/remote/event-reader.ts'

const read = (...chunks: (string | Uint8Array)[]): string[] => {
  const reader = new EventReader(1000)
  return chunks.flatMap((chunk) => [...reader.read(Buffer.from(chunk as string))])
}

test.each([
  ['one event', 'data: a\n\n', ['a']],
  ['CR LF', 'data: a\r\n\r\ndata: b\r\n\r\n', ['a', 'b']],
  ['CR', 'data: a\r\rdata: b\r\r', ['a', 'b']],
  ['a mark before the first line', '\ufeffdata: a\n\n', ['a']],
  ['a mark elsewhere is part of a name', 'data: a\n\n\ufeffdata: b\n\n', ['a']],
  ['comments and other fields', ': hi\nevent: x\nid: 7\nretry: 1\ndata: a\n\n:\n\n', ['a']],
  ['lines of one event', 'data: a\ndata:\ndata: b\n\n', ['a\n\nb']],
  ['one space is none of the value, two are one', 'data:a\n\ndata:  b\n\n', ['a', ' b']],
  ['a field without a colon', 'data\n\n', ['']],
  ['an event without its end never came', 'data: a\n\ndata: b\n', ['a']],
  ['empty lines', '\n\n\ndata: a\n\n\n\n', ['a']],
])('%s', (_, text, data) => {
  expect(read(text)).toEqual(data)
})

test('events are the same wherever their bytes are cut', () => {
  const value = fc.string({ unit: 'binary', maxLength: 12 }).filter((text) => !/[\r\n]/.test(text))
  const line = fc.oneof(
    value.map((text) => ({ text: `data: ${text}`, data: text })),
    fc.constantFrom({ text: ': comment' }, { text: 'event: x' }, { text: '' }),
  )
  const given = fc.record({
    lines: fc.array(line, { maxLength: 12 }),
    ends: fc.array(fc.constantFrom('\n', '\r', '\r\n'), { minLength: 14, maxLength: 14 }),
    cuts: fc.array(fc.nat(400), { maxLength: 40 }),
  })
  fc.assert(
    fc.property(given, ({ lines, ends, cuts }) => {
      const bytes = Buffer.from([...lines, { text: '' }].map(({ text }, i) => text + ends[i]).join(''))
      const places = [0, ...cuts.filter((cut) => cut < bytes.length).sort((a, b) => a - b), bytes.length]
      const chunks = places.slice(1).map((to, i) => bytes.subarray(places[i], to))
      expect(read(...chunks)).toEqual(read(bytes))
      expect(read(...Array.from(bytes, (byte) => Uint8Array.of(byte)))).toEqual(read(bytes))
    }),
    { numRuns: Number(process.env.FUZZ_RUNS ?? 30) },
  )
})

test('what has no end, and what is no UTF-8, is refused', () => {
  expect(() => read('data: ', 'x'.repeat(2000))).toThrow('an event of more than 1000 bytes')
  expect(() => read(...Array.from({ length: 30 }, () => `data: ${'x'.repeat(50)}\n`))).toThrow(
    'more than 1000',
  )
  expect(() => read('data: ', Uint8Array.of(0xc3), '\n\n')).toThrow('no UTF-8')
  expect(read('data: ', Uint8Array.of(0xc3), Uint8Array.of(0xa9), '\n\n')).toEqual(['é'])
})
