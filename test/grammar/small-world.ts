/** Vocabularies small enough to ask each token of each place whether a text can still come of it. */
import { expect } from 'vitest'
import { GrammarConstraint } from '../../src/grammar/grammar-constraint.ts'
import { Automaton, DEAD } from '../../src/grammar/parser/automaton.ts'
import type { CompiledGrammar } from '../../src/grammar/parser/expressions.ts'
import { Masks } from '../../src/grammar/vocabulary/masks.ts'
import { type SlicedVocabulary, sliceVocabulary } from '../../src/grammar/vocabulary/slices.ts'

/** Ids: the given texts, and two that end. As Latin-1, so that half a character can be a token. */
export function smallVocabulary(tokens: readonly string[], slicing = true): SlicedVocabulary {
  return sliceVocabulary(
    {
      size: tokens.length + 2,
      endIds: [tokens.length, tokens.length + 1],
      dropsFirstSpace: false,
      bytes: (id) => (id < tokens.length ? Uint8Array.from(Buffer.from(tokens[id]!, 'latin1')) : undefined),
    },
    slicing,
  )
}

/** A text as its UTF-8, one character a byte. */
export const byteText = (text: string): string => Buffer.from(text).toString('latin1')

export interface World {
  readonly grammar: CompiledGrammar
  readonly tokens: readonly string[]
  /** All texts of the language that are short, as bytes. */
  readonly texts: readonly string[]
  /** Prefixes up to so many bytes are gone through: each that is alive must be that of a short text. */
  readonly most: number
  /** Whether a longer text begins with a prefix that no short one begins with. */
  readonly completes?: (prefix: string, automaton: Automaton) => boolean
}

/** The mask is exactly the tokens that can still lead to a text, at every prefix. @returns how many places were looked at. */
export function expectExactMasks({ grammar, tokens, texts, most, completes }: World, label: string): number {
  const prefixes = new Set<string>()
  for (const text of texts) for (let end = 0; end <= text.length; end++) prefixes.add(text.slice(0, end))
  const whole = new Set(texts)
  const vocabulary = smallVocabulary(tokens)
  const automaton = new Automaton(grammar.rules, grammar.start)
  const masks = new Masks(automaton, vocabulary)
  const places = [...prefixes].filter((prefix) => prefix.length <= most)
  for (const prefix of places) {
    const constraint = new GrammarConstraint(automaton, vocabulary, { masks })
    for (const byte of prefix) constraint.accept(tokens.indexOf(byte))
    const wanted = tokens.flatMap((token, id) => (prefixes.has(prefix + token) ? [id] : []))
    const ends = whole.has(prefix) ? vocabulary.endIds : []
    const found = idsOf(constraint.allowed())
    const relevant = found.filter((id) => id >= tokens.length || prefix.length + tokens[id]!.length <= most)
    const due = wanted.filter((id) => prefix.length + tokens[id]!.length <= most)
    for (const id of relevant)
      if (id < tokens.length && !due.includes(id) && completes?.(prefix + tokens[id], automaton)) due.push(id)
    due.sort((a, b) => a - b)
    expect({ label, prefix, ids: relevant.map((id) => tokens[id] ?? 'end') }).toEqual({
      label,
      prefix,
      ids: [...due.map((id) => tokens[id]!), ...ends.map(() => 'end')],
    })
    expect(constraint.isComplete).toBe(whole.has(prefix))
  }
  return places.length
}

export function idsOf(allowed: ReturnType<GrammarConstraint['allowed']>): number[] {
  if ('ids' in allowed) return [...allowed.ids]
  const ids: number[] = []
  for (let id = 0; id < 32 * allowed.bits.length; id++)
    if (((allowed.bits[id >> 5]! >>> (id & 31)) & 1) === 1) ids.push(id)
  return ids
}

const MOST_TRIED = 3_000

/**
 * The shortest text of a grammar with a prefix: a witness that it is alive, for somebody else to judge.
 * @returns `undefined` when there is none, null when it is too long to find.
 */
export function shortestText(automaton: Automaton, prefix: string): string | undefined | null {
  let start = automaton.start()
  for (const byte of Buffer.from(prefix, 'latin1')) start = automaton.next(start, byte)
  const texts = new Map([[start, prefix]])
  for (const [place, text] of texts) {
    if (automaton.isComplete(place)) return text
    if (texts.size > MOST_TRIED) return null
    for (let byte = 0; byte < 256; byte++) {
      const next = automaton.next(place, byte)
      if (next !== DEAD && !texts.has(next)) texts.set(next, text + String.fromCharCode(byte))
    }
  }
  return undefined
}

/** Whether the grammar takes a text, byte by byte. */
export function takes(automaton: Automaton, text: string): boolean {
  let place = automaton.start()
  for (const byte of Buffer.from(text)) place = automaton.next(place, byte)
  return automaton.isComplete(place)
}
