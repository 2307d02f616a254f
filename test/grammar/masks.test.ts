/** Masks of a real vocabulary: by slices, by one walk over all tokens, and by trying each token; and the tokens that are forced. */
import { existsSync } from 'node:fs'
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { GrammarConstraint } from '../../src/grammar/grammar-constraint.ts'
import { compileSchema } from '../../src/grammar/json/compile-schema.ts'
import { compileRegex } from '../../src/grammar/notations/regex.ts'
import { Automaton, DEAD } from '../../src/grammar/parser/automaton.ts'
import { Regexes } from '../../src/grammar/regex/regexes.ts'
import { Masks } from '../../src/grammar/vocabulary/masks.ts'
import { type SlicedVocabulary, sliceVocabulary } from '../../src/grammar/vocabulary/slices.ts'
import { tokenBytesOf } from '../../src/grammar/vocabulary/vocabulary.ts'
import { loadTokenizer } from '../../src/tokenizer/load-tokenizer.ts'
import type { Tokenizer } from '../../src/tokenizer/tokenizer.ts'
import { idsOf, smallVocabulary } from './small-world.ts'

const FOLDER = '../shared/data/tokenizers/smollm2'
const END = 0
const here = existsSync(FOLDER)

const SCHEMA = JSON.stringify({
  type: 'object',
  properties: {
    name: { type: 'string' },
    code: { type: 'string', pattern: '^[A-Z]{2}[0-9a-f]+$', maxLength: 12 },
    note: { type: 'string', maxLength: 14 },
    kind: { enum: ['first', 'second', 3] },
    ratio: { type: 'number', minimum: 0, maximum: 1 },
  },
  required: ['name', 'code', 'note', 'kind', 'ratio'],
  additionalProperties: false,
})

describe.skipIf(!here)('a real vocabulary (needs ../shared/data)', () => {
  let tokenizer: Tokenizer
  let sliced: SlicedVocabulary
  let whole: SlicedVocabulary
  beforeAll(async () => {
    tokenizer = await loadTokenizer(FOLDER)
    const bytes = tokenBytesOf(tokenizer, [END])
    sliced = sliceVocabulary(bytes)
    whole = sliceVocabulary(bytes, false)
  })

  const open = () => {
    const { rules, start } = compileSchema(new Regexes(), SCHEMA)
    return new Automaton(rules, start)
  }

  test('slices change nothing, and each token is allowed exactly where its bytes are', () => {
    const automaton = open()
    const [bySlices, byWalk] = [new Masks(automaton, sliced), new Masks(automaton, whole)]
    fc.assert(
      fc.property(fc.infiniteStream(fc.nat()), (draws) => {
        const constraint = new GrammarConstraint(automaton, sliced, { masks: bySlices })
        let place = automaton.start()
        for (let step = 0; step < 20 && !constraint.mustEnd; step++) {
          const { bits } = bySlices.at(place)
          expect(Buffer.from(bits.buffer).equals(Buffer.from(byWalk.at(place).bits.buffer))).toBe(true)
          const ids = idsOf(constraint.allowed())
          const chosen = ids[(draws.next().value ?? 0) % ids.length]!
          if (step % 9 === 8) expect(ids).toEqual(tried(automaton, place))
          if (chosen === END) break
          for (const byte of bytesOf(chosen)) place = automaton.next(place, byte)
          constraint.accept(chosen)
        }
      }),
      { numRuns: 4 },
    )
  })

  const bytesOf = (id: number) =>
    sliced.texts.bytes.subarray(sliced.texts.starts[id], sliced.texts.starts[id + 1])

  function tried(automaton: Automaton, from: number): number[] {
    const found: number[] = []
    for (let id = 0; id < sliced.size; id++) {
      let place = bytesOf(id).length === 0 ? DEAD : from
      for (const byte of bytesOf(id)) place = automaton.next(place, byte)
      if (place !== DEAD || (id === END && automaton.isComplete(from))) found.push(id)
    }
    return found
  }

  test.each([
    [{ type: 'string', maxLength: 160 }, [0, 40, 100, 159, 160]],
    [{ type: 'string', minLength: 60, maxLength: 160 }, [0, 59, 60, 61, 145]],
    [{ type: 'string', minLength: 30 }, [0, 29, 30, 70]],
    [{ type: 'string', minLength: 3, maxLength: 160, pattern: '^[a-z ]*\u00e9?[a-z ]*$' }, [0, 2, 120]],
  ])('in a text of %j each token is allowed exactly where its bytes are', (schema, counts) => {
    const { rules, start } = compileSchema(new Regexes(), JSON.stringify(schema))
    const automaton = new Automaton(rules, start)
    const masks = new Masks(automaton, sliced)
    for (const count of counts) {
      let place = automaton.next(automaton.start(), 0x22)
      for (let i = 0; i < count; i++) place = automaton.next(place, 0x61 + (i % 26))
      // Within a character too, where there is room for one.
      for (const at of [place, automaton.next(place, 0xc3)])
        if (at !== DEAD) expect([count, idsOf(masks.at(at))]).toEqual([count, tried(automaton, at)])
    }
  })

  test('a text that is far from its limit has one mask, however long it is', () => {
    const { rules, start } = compileSchema(new Regexes(), '{"type":"string","minLength":2,"maxLength":5000}')
    const automaton = new Automaton(rules, start)
    const masks = new Masks(automaton, sliced)
    const after = (count: number) => {
      let place = automaton.next(automaton.start(), 0x22)
      for (let i = 0; i < count; i++) place = automaton.next(place, 0x61)
      return masks.at(place)
    }
    expect(after(2000)).toBe(after(3))
    expect(after(2000)).not.toBe(after(4990))
  })

  test('forced tokens are those of the tokenizer, each allowed, and none that a longer one could stand for', () => {
    const automaton = open()
    const constraint = new GrammarConstraint(automaton, sliced)
    const into = new Int32Array(32)
    for (const id of tokenizer.encode('{"name": "Ann",', { addSpecialTokens: false })) constraint.accept(id)
    const count = constraint.propose(into, 32)
    // The last of them is a space and a quote: no token has them with a capital, so nothing longer could stand there.
    expect(tokenizer.decode(into.subarray(0, count))).toBe(' "code": "')
    for (let i = 0; i < count; i++) {
      expect(idsOf(constraint.allowed())).toContain(into[i])
      constraint.accept(into[i]!)
    }
    expect(constraint.propose(into, 32)).toBe(0)
  })

  test('a mask that has been made is not made again', () => {
    const automaton = open()
    const masks = new Masks(automaton, sliced)
    expect(masks.at(automaton.start())).toBe(masks.at(automaton.start()))
  })
})

test('"yes" is forced in "yes" and "yesterday", but no token is; the end is legal exactly when it is complete', () => {
  const { rules, start } = compileRegex(new Regexes(), 'yes|yesterday')
  const vocabulary = smallVocabulary([...'yestrda', 'yes', 'terday', 'yesterday'])
  const constraint = new GrammarConstraint(new Automaton(rules, start), vocabulary)
  const allowed = () =>
    idsOf(constraint.allowed()).map(
      (id) => ['y', 'e', 's', 't', 'r', 'd', 'a', 'yes', 'terday', 'yesterday'][id] ?? 'end',
    )
  expect(allowed()).toEqual(['y', 'yes', 'yesterday'])
  expect(constraint.propose(new Int32Array(8), 8)).toBe(0)
  constraint.accept(7)
  expect(allowed()).toEqual(['t', 'terday', 'end', 'end'])
  expect([constraint.isComplete, constraint.mustEnd]).toEqual([true, false])
  constraint.accept(8)
  expect(allowed()).toEqual(['end', 'end'])
  expect([constraint.isComplete, constraint.mustEnd]).toEqual([true, true])
  expect(() => constraint.accept(0)).toThrow('not allowed')
})
