/** The door of the room: a structure in whichever notation, and a constraint that holds a vocabulary to it. */
import { SpoutError } from '../errors.ts'
import { GrammarConstraint } from './grammar-constraint.ts'
import { type CallsStructure, compileCalls } from './json/compile-calls.ts'
import { compileAnyJson, compileItems, compileSchema, type SchemaOptions } from './json/compile-schema.ts'
import { compileEbnf } from './notations/ebnf.ts'
import { compileGbnf } from './notations/gbnf.ts'
import { compileLark } from './notations/lark.ts'
import { compileChoices, compileRegex } from './notations/regex.ts'
import { Automaton } from './parser/automaton.ts'
import type { CompiledGrammar } from './parser/expressions.ts'
import { addRange, emptySet } from './regex/byte-sets.ts'
import { Regexes } from './regex/regexes.ts'
import type { SlicedVocabulary } from './vocabulary/slices.ts'

export type Notation = 'gbnf' | 'lark' | 'ebnf'

export type Structure =
  | { readonly kind: 'schema'; readonly schema: string; readonly options?: SchemaOptions }
  | { readonly kind: 'json' | 'object' | 'array'; readonly options?: SchemaOptions }
  | {
      /** Documents, each on a line of its own. */
      readonly kind: 'items'
      readonly schema: string
      readonly min?: number
      readonly max?: number
      readonly options?: SchemaOptions
    }
  | (CallsStructure & {
      /** Calls of tools, in the marks of a model. */
      readonly kind: 'calls'
    })
  | { readonly kind: 'regex'; readonly regex: string }
  | { readonly kind: 'choice'; readonly choices: readonly string[] }
  | { readonly kind: 'grammar'; readonly text: string; readonly notation: Notation }

/** @throws SpoutError `usage` when it cannot be used, `data` when it is too large; before anything else is needed. */
export function compileStructure(structure: Structure, regexes: Regexes = new Regexes()): CompiledGrammar {
  switch (structure.kind) {
    case 'schema':
      return compileSchema(regexes, structure.schema, structure.options)
    case 'items':
      return compileItems(regexes, structure)
    case 'calls':
      return compileCalls(regexes, structure)
    case 'regex':
      return compileRegex(regexes, structure.regex)
    case 'choice':
      return compileChoices(regexes, structure.choices)
    case 'grammar':
      return COMPILERS[structure.notation](regexes, structure.text)
    default:
      return compileAnyJson(regexes, structure.kind, structure.options)
  }
}

const COMPILERS = { gbnf: compileGbnf, lark: compileLark, ebnf: compileEbnf }

/** By the name of its file, else by its first rule. */
export function notationOf(text: string, fileName = ''): Notation {
  const named = /\.(gbnf|lark|ebnf)$/i.exec(fileName)?.[1]?.toLowerCase()
  if (named !== undefined) return named as Notation
  const isLark = /^(?:\s|\/\/[^\n]*\n)*(?:%\w|[?!]*_?[A-Za-z][A-Za-z_0-9]*(?:\.-?\d+)?\s*:(?!:=))/.test(text)
  if (isLark) return 'lark'
  return /(?:^|\n)\s*root\s*::=/.test(text) ? 'gbnf' : 'ebnf'
}

/** Bytes that no UTF-8 has. */
const NEVER = new Set([0xc0, 0xc1, ...Array.from({ length: 11 }, (_, i) => 0xf5 + i)])

/**
 * A constraint at the beginning of its text. A byte that is no token by itself is left out of the structure, or a place could be
 * reached where no token is legal.
 * @throws SpoutError as `compileStructure` does; `config` when the vocabulary cannot spell any text of the structure.
 */
export function openConstraint(structure: Structure, vocabulary: SlicedVocabulary): GrammarConstraint {
  return new GrammarConstraint(openAutomaton(structure, vocabulary), vocabulary)
}

/** What `openConstraint` follows: for several texts, one after another. @throws SpoutError as it does. */
export function openAutomaton(structure: Structure, vocabulary: SlicedVocabulary): Automaton {
  const missing = vocabulary.missing.filter((byte) => !NEVER.has(byte))
  const { rules, start } =
    missing.length === 0 ? checkStructure(structure) : compileWithout(structure, missing)
  return new Automaton(rules, start)
}

/** What has been made of structures that are still in use. */
const compiled = new WeakMap<Structure, CompiledGrammar>()

/** `compileStructure`, once for each structure: whoever checks one early does not pay twice. @throws SpoutError as it does. */
export function checkStructure(structure: Structure): CompiledGrammar {
  const known = compiled.get(structure) ?? compileStructure(structure)
  compiled.set(structure, known)
  return known
}

function compileWithout(structure: Structure, missing: readonly number[]): CompiledGrammar {
  const alphabet = addRange(emptySet(), 0, 255)
  for (const byte of missing) alphabet[byte >> 5]! &= ~(1 << (byte & 31))
  try {
    const regexes = new Regexes(alphabet)
    return compileStructure(structure, regexes)
  } catch (cause) {
    const bytes = missing.slice(0, 8).map((byte) => `0x${byte.toString(16).padStart(2, '0')}`)
    const more = missing.length > bytes.length ? ` and ${missing.length - bytes.length} more` : ''
    throw new SpoutError(
      'config',
      `structure: this model has no token for the bytes ${bytes.join(', ')}${more}`,
      {
        cause,
        hint: 'use a model with a byte-level tokenizer, or a structure without these characters',
      },
    )
  }
}
