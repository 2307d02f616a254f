import fc from 'fast-check'
import { expect, test } from 'vitest'
import { StopStrings } from '../../src/generation/stop-strings.ts'

/** The whole text searched at once: the occurrence that ends first, of those the longest. */
function cut(text: string, stops: readonly string[]): { text: string; matched: string | undefined } {
  for (let end = 1; end <= text.length; end++) {
    const found = stops
      .filter((stop) => text.slice(0, end).endsWith(stop))
      .sort((a, b) => b.length - a.length)[0]
    if (found !== undefined) return { text: text.slice(0, end - found.length), matched: found }
  }
  return { text, matched: undefined }
}

/** The longest end of a text that a stop string may begin with. */
function held(text: string, stops: readonly string[]): number {
  const fits = (length: number) =>
    stops.some((stop) => length < stop.length && stop.startsWith(text.slice(text.length - length)))
  for (let length = text.length; length > 0; length--) if (fits(length)) return length
  return 0
}

const letters = fc.constantFrom('a', 'b', 'é', '€', '😀', '😁')
const word = (options: { minLength?: number; maxLength: number }) => fc.string({ unit: letters, ...options })
const stopLists = fc.array(word({ minLength: 1, maxLength: 5 }), { maxLength: 4 })
const pieceLists = fc.array(word({ maxLength: 6 }), { maxLength: 12 })

test('the text of all pieces is that of a search in the whole text, for any split', () => {
  fc.assert(
    fc.property(stopLists, pieceLists, (stops, pieces) => {
      const stream = new StopStrings(stops)
      const said = pieces.map((piece) => stream.push(piece)).join('') + stream.flush()
      expect({ text: said, matched: stream.matched }).toEqual(cut(pieces.join(''), stops))
    }),
    { numRuns: 5000 },
  )
})

test('exactly what may begin a stop string is held back', () => {
  fc.assert(
    fc.property(stopLists, pieceLists, (stops, pieces) => {
      const stream = new StopStrings(stops)
      let said = ''
      let all = ''
      for (const piece of pieces) {
        all += piece
        said += stream.push(piece)
        if (stream.matched !== undefined) return
        expect(said).toBe(all.slice(0, all.length - held(all, stops)))
      }
    }),
    { numRuns: 2000 },
  )
})

test('pieces that end inside a stop string, overlap it, or are cut inside a character', () => {
  const stream = new StopStrings(['</s>', '\n\nUser:'])
  expect([stream.push('a<'), stream.push('</'), stream.push('s'), stream.matched]).toEqual([
    'a',
    '<',
    '',
    undefined,
  ])
  expect([stream.push('> b'), stream.matched, stream.push('c'), stream.flush()]).toEqual(['', '</s>', '', ''])
})

test('of two that end together the longer wins, of two that overlap the one that ends first', () => {
  const longer = new StopStrings(['c', 'abc'])
  expect([longer.push('xabc'), longer.matched]).toEqual(['x', 'abc'])
  const first = new StopStrings(['abcd', 'bc'])
  expect([first.push('xabcd'), first.matched]).toEqual(['xa', 'bc'])
})

test('what was held back is given at the end, and reset forgets it', () => {
  const stream = new StopStrings(['stop'])
  expect([stream.push('a sto'), stream.flush()]).toEqual(['a ', 'sto'])
  stream.push('sto')
  stream.reset()
  expect([stream.push('p'), stream.flush(), stream.matched]).toEqual(['p', '', undefined])
})

test('without stop strings a piece passes as it is', () => {
  const stream = new StopStrings([])
  expect([stream.push('piece'), stream.flush(), stream.matched]).toEqual(['piece', '', undefined])
})

test('an empty stop string is a mistake', () => {
  expect(() => new StopStrings(['x', ''])).toThrow(expect.objectContaining({ code: 'usage' }))
})
