/** Flags of structures that cannot be used: each is refused with its place, before anything else is done. */
import { expect, test } from 'vitest'
import { FLAGS } from '../../src/cli/flags.ts'
import type { Options } from '../../src/cli/options.ts'
import { parseCommandLine } from '../../src/cli/program.ts'
import { checkFlags } from '../../src/cli/request-from-flags.ts'
import { structureFromFlags } from '../../src/cli/structure-from-flags.ts'

async function read(argv: readonly string[]): Promise<string> {
  const { options } = parseCommandLine<Options>(argv, { name: 'spout', flags: FLAGS, help: () => '' })
  checkFlags(options)
  return (await structureFromFlags(options)).note
}

test.each<[string[], RegExp]>([
  // a keyword, by its pointer
  [
    ['--schema', '{"properties":{"id":{"pattern":"(?<=a)b"}}}'],
    /^schema: \/properties\/id\/pattern: position 2: lookbehind/,
  ],
  // a reference that leads out
  [
    ['--schema', '{"$ref":"https://example.org/x"}'],
    /^schema: \/\$ref: "https:\/\/example.org\/x" is not in this schema/,
  ],
  // what nothing satisfies
  [
    ['--schema', '{"type":"object","required":["z"],"additionalProperties":false}'],
    /^schema: no document satisfies it/,
  ],
  // what is no JSON
  [['--schema', '{"type":'], /^schema: line 1, column 9: this is no JSON/],
  // fields that are none
  [['--schema', 'age int 5..1'], /^schema: line 1, column 9: a range out of order/],
  // an expression
  [['--regex', 'a(?<!b)'], /^regex: position /],
  // a grammar without a rule
  [['--grammar', 'root ::= x'], /^grammar: line 1, column 10: /],
  // a file that is not there
  [['--schema', '@/nowhere/x.json'], /^\/nowhere\/x\.json: not found/],
  // two structures
  [['--schema', 'a', '--regex', 'b'], /^--schema and --regex: only one of them at a time$/],
  // --stop
  [['--regex', 'b', '--stop', 'x'], /^--regex and --stop: only one of them at a time$/],
  // --ignore-eos
  [['--choice', 'b', '--ignore-eos'], /^--choice and --ignore-eos: /],
  // --think only
  [['--choice', 'b', '--think', 'only'], /^--choice and --think: /],
  // --on-limit without a structure
  [['--on-limit', 'close'], /^--on-limit: needs /],
  // --open-objects without a schema
  [['--regex', 'a', '--open-objects'], /^--open-objects: needs /],
  // fewer items than more
  [['--items', 'a', '--min-items', '3', '--max-items', '2'], /^items: at least 3 and at most 2 of them$/],
])('%j is refused', async (argv, message) => {
  await expect(read(argv)).rejects.toThrow(message)
})

test.each<[string[], string]>([
  [['--schema', 'name, n int'], '--schema: fields'],
  [['--schema', ' {"type":"null"}'], '--schema: a JSON Schema'],
  [['--schema', 'true'], '--schema: a JSON Schema'],
  [['--schema', '@tsconfig.json'], '--schema: the file tsconfig.json'],
  [['--grammar', 'start: "a"'], '--grammar: Lark'],
  [['--grammar', 'root ::= "a"'], '--grammar: GBNF'],
  [['--grammar', "a ::= 'b'"], '--grammar: EBNF'],
])('%j is taken for what it is', async (argv, note) => {
  expect(await read(argv)).toBe(note)
})
