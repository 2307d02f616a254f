/**
 * Grammars at random, with recursion on either side, ambiguity and empty rules, written in each notation. All their texts of a few
 * letters are worked out rule by rule, and the mask is exactly the tokens that can still lead to one.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compileEbnf } from '../../src/grammar/notations/ebnf.ts'
import { compileGbnf } from '../../src/grammar/notations/gbnf.ts'
import { compileLark } from '../../src/grammar/notations/lark.ts'
import { Automaton } from '../../src/grammar/parser/automaton.ts'
import type { CompiledGrammar } from '../../src/grammar/parser/expressions.ts'
import { Regexes } from '../../src/grammar/regex/regexes.ts'
import { expectExactMasks, shortestText, takes as takesText } from './small-world.ts'

const MOST = 7
const NAMES = ['root', 'x', 'y'] as const

type Part =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'sequence' | 'choice'; readonly parts: readonly Part[] }
  | { readonly kind: 'repeat'; readonly body: Part; readonly sign: '*' | '+' | '?' }

type Rules = Readonly<Record<(typeof NAMES)[number], Part>>

const { part } = fc.letrec<{ part: Part }>((tie) => ({
  part: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom('a', 'b', 'ab', 'ba').map((text) => ({ kind: 'text' as const, text })),
    fc.constantFrom(...NAMES).map((name) => ({ kind: 'name' as const, name })),
    fc
      .array(tie('part'), { minLength: 2, maxLength: 3 })
      .map((parts) => ({ kind: 'sequence' as const, parts })),
    fc
      .array(tie('part'), { minLength: 2, maxLength: 3 })
      .map((parts) => ({ kind: 'choice' as const, parts })),
    fc.record({
      kind: fc.constant('repeat' as const),
      body: tie('part'),
      sign: fc.constantFrom('*' as const, '+' as const, '?' as const),
    }),
  ),
}))
const rules: fc.Arbitrary<Rules> = fc.record({ root: part, x: part, y: part })

/** All texts of up to `MOST` letters, by the least sets that satisfy the rules. */
function textsOf(grammar: Rules): ReadonlySet<string> {
  const known = new Map(NAMES.map((name) => [name as string, new Set<string>()]))
  for (let size = -1; size !== sizeOf(known); ) {
    size = sizeOf(known)
    for (const name of NAMES) for (const text of language(grammar[name], known)) known.get(name)!.add(text)
  }
  return known.get('root')!
}

function sizeOf(known: ReadonlyMap<string, ReadonlySet<string>>): number {
  return [...known.values()].reduce((sum, { size }) => sum + size, 0)
}

function language(one: Part, known: ReadonlyMap<string, ReadonlySet<string>>): ReadonlySet<string> {
  switch (one.kind) {
    case 'text':
      return new Set([one.text])
    case 'name':
      return new Set(known.get(one.name)!)
    case 'choice':
      return new Set(one.parts.flatMap((each) => [...language(each, known)]))
    case 'sequence':
      return one.parts.reduce<ReadonlySet<string>>(
        (so, each) => join(so, language(each, known)),
        new Set(['']),
      )
    case 'repeat': {
      const once = language(one.body, known)
      if (one.sign === '?') return new Set(['', ...once])
      const all = new Set(one.sign === '*' ? ['', ...once] : once)
      for (let size = 0; size !== all.size; ) {
        size = all.size
        for (const text of join(all, once)) all.add(text)
      }
      return all
    }
  }
}

function join(first: ReadonlySet<string>, second: ReadonlySet<string>): Set<string> {
  const found = new Set<string>()
  for (const a of first) for (const b of second) if (a.length + b.length <= MOST) found.add(a + b)
  return found
}

function write(one: Part, bar = '|'): string {
  if (one.kind === 'text') return `"${one.text}"`
  if (one.kind === 'name') return one.name
  if (one.kind === 'repeat') return `(${write(one.body, bar)})${one.sign}`
  return `(${one.parts.map((each) => write(each, bar)).join(one.kind === 'choice' ? ` ${bar} ` : ' ')})`
}

const NOTATIONS = {
  GBNF: (grammar: Rules) =>
    compileGbnf(new Regexes(), NAMES.map((name) => `${name} ::= ${write(grammar[name])}\n`).join('')),
  EBNF: (grammar: Rules) =>
    compileEbnf(new Regexes(), NAMES.map((name) => `${name} ::= ${write(grammar[name])}`).join('\n')),
  Lark: (grammar: Rules) =>
    compileLark(
      new Regexes(),
      NAMES.map(
        (name) =>
          `${name === 'root' ? 'start' : name}: ${write(grammar[name]).replaceAll('root', 'start')}\n`,
      ).join(''),
    ),
}

const tokens = fc
  .uniqueArray(fc.stringMatching(/^[ab]{2,5}$/), { minLength: 10, maxLength: 40 })
  .map((texts) => ['a', 'b', ...texts])

test.each(Object.entries(NOTATIONS))('masks of grammars in %s are exact', (_, compile) => {
  let places = 0
  fc.assert(
    fc.property(rules, tokens, (drawn, vocabulary) => {
      const texts = textsOf(drawn)
      let grammar: ReturnType<typeof compile>
      try {
        grammar = compile(drawn)
      } catch (error) {
        if (!/no text satisfies/.test(String(error))) throw error
        expect([...texts]).toEqual([])
        return
      }
      const completes = (prefix: string, automaton: Automaton) => {
        const text = shortestText(automaton, prefix)
        return text === null || (text !== undefined && (text.length > MOST || texts.has(text)))
      }
      const world = { grammar, tokens: vocabulary, texts: [...texts], most: MOST, completes }
      places += expectExactMasks(world, write(drawn.root))
    }),
    { numRuns: Number(process.env.WORLDS ?? 40) },
  )
  expect(places).toBeGreaterThan(40)
})

describe('readings', () => {
  const takes = (grammar: CompiledGrammar, text: string) =>
    takesText(new Automaton(grammar.rules, grammar.start), text)

  test('GBNF', () => {
    const grammar = compileGbnf(
      new Regexes(),
      `# JSON-like
root  ::= "[" ws (item ("," ws
          item){0,2})? "]"   # a comment
item ::= [^"\\x00-\\x1f,\\[\\]] | "\\"" [a-z\\-]+ "\\""
      | root
ws ::= [ \\t]*`,
    )
    expect(
      ['[]', '[x]', '[ "a-b",  é]', '[[x],[]]', '[1,2,3]'].filter((text) => !takes(grammar, text)),
    ).toEqual([])
    expect(['[', '[x,]', '[1,2,3,4]', '["A"]', 'x'].filter((text) => takes(grammar, text))).toEqual([])
  })

  test('Lark', () => {
    const grammar = compileLark(
      new Regexes(),
      `start: sum
?sum: product | sum "+" product -> add
    | sum "-" product
?product.2: atom ("*" atom)~0..2
atom: NUMBER | "(" sum ")" | NAME | /x[0-9]+/i | "pi"i | [KEY] "!"
NAME: "a".."c" LETTER_OR_NOT
LETTER_OR_NOT: /[a-z]?/
KEY.1: "key"
%import common.NUMBER
%import common.WS
%ignore WS`,
    )
    expect(
      [
        '1',
        ' 1 + 2\\n* 3 '.replace('\\n', '\n'),
        '(a-bz)',
        'X12',
        'Pi+pI',
        'key !',
        '!',
        '1.5e3*2*(3)',
      ].filter((text) => !takes(grammar, text)),
    ).toEqual([])
    expect(['', '1+', '1 2', 'd', '1*2*3*4', 'ke y!'].filter((text) => takes(grammar, text))).toEqual([])
  })

  test('W3C EBNF', () => {
    const grammar = compileEbnf(
      new Regexes(),
      `[1] Name ::= Start (Start | [0-9#xB7-])* - 'xml' /* not the reserved one */
[2] Start ::= [A-Za-z] | "_" | #xE9`.replace(" - 'xml'", ''),
    )
    expect(['a', 'A9-', '_x', 'é', 'é·1'].filter((text) => !takes(grammar, text))).toEqual([])
    expect(['', '9', '-a', 'a b'].filter((text) => takes(grammar, text))).toEqual([])
    const without = compileEbnf(new Regexes(), `root ::= ([a-z] - [aeiou])+ - ('x' 'y')`)
    expect(['b', 'xyz', 'x'].filter((text) => !takes(without, text))).toEqual([])
    expect(['a', 'xy', 'bab'].filter((text) => takes(without, text))).toEqual([])
  })
})

test('what is wrong in a grammar is said with its place', () => {
  const message = (compile: () => unknown): string => {
    try {
      compile()
      return 'nothing'
    } catch (error) {
      return (error as Error).message
    }
  }
  const gbnf = (text: string) => message(() => compileGbnf(new Regexes(), text))
  expect(gbnf('root ::= "a" item')).toBe('grammar: line 1, column 14: the rule item is not defined')
  expect(gbnf('root ::= "a"\nroot ::= "b"')).toBe('grammar: line 2, column 1: the rule root is given twice')
  expect(gbnf('start ::= "a"')).toBe('grammar: the rule root is not defined')
  expect(gbnf('root ::= ("a"')).toBe('grammar: line 1, column 14: ) is missing')
  expect(gbnf('root ::= "a" root')).toBe('grammar: no text satisfies the rule root')
  expect(message(() => compileLark(new Regexes(), 'start: "a"\n%declare X'))).toBe(
    'grammar: line 2, column 2: %declare is not supported',
  )
  expect(message(() => compileEbnf(new Regexes(), 'a ::= [b'))).toBe(
    'grammar: line 1, column 9: a class that is not closed',
  )
})
