/**
 * The official JSON Schema test suite. What is accepted must be valid, what is valid is accepted or the schema is refused; the
 * counts stand in a file and may not get worse.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { compileSchema } from '../../src/grammar/json/compile-schema.ts'
import { Automaton } from '../../src/grammar/parser/automaton.ts'
import { Regexes } from '../../src/grammar/regex/regexes.ts'
import { takesValue, WRITE_STYLES } from './write-value.ts'

const SUITE = '../shared/data/schemas/suite/tests'
const RATCHET = 'test/grammar/schema-suite.json'
const DRAFTS = { 'draft2020-12': undefined, draft7: 'http://json-schema.org/draft-07/schema#' }

interface Group {
  readonly description: string
  readonly schema: unknown
  readonly tests: readonly { readonly description: string; readonly data: unknown; readonly valid: boolean }[]
}

interface Counts {
  right: number
  refused: number
  /** Valid, and rejected by a rule that is written down: formats are enforced. */
  byRule: number
}

const here = existsSync(SUITE)

describe.skipIf(!here)('JSON Schema test suite (needs ../shared/data)', () => {
  const ratchet = JSON.parse(readFileSync(RATCHET, 'utf8')) as Record<string, Record<string, Counts>>
  test.each(Object.keys(DRAFTS))('%s', (draft) => {
    const counts: Record<string, Counts> = {}
    const wrong: string[] = []
    const reasons: Record<string, number> = {}
    for (const file of readdirSync(`${SUITE}/${draft}`).filter((name) => name.endsWith('.json'))) {
      const own = { right: 0, refused: 0, byRule: 0 }
      counts[file.slice(0, -5)] = own
      for (const group of JSON.parse(readFileSync(`${SUITE}/${draft}/${file}`, 'utf8')) as Group[])
        judge(group, { draft: DRAFTS[draft as keyof typeof DRAFTS], file, own, wrong, reasons })
    }
    // SUITE_REASONS=1 says what is refused, and the counts as the file has them.
    if (process.env.SUITE_REASONS) console.log(draft, reasons, JSON.stringify(counts))
    expect(wrong).toEqual([])
    expect(counts).toEqual(ratchet[draft])
    const right = Object.values(counts).reduce((sum, own) => sum + own.right, 0)
    if (draft === 'draft2020-12') expect(right).toBeGreaterThanOrEqual(1_100)
  })
})

interface Judging {
  readonly draft: string | undefined
  readonly file: string
  readonly own: Counts
  readonly wrong: string[]
  readonly reasons: Record<string, number>
}

function judge(group: Group, { draft, file, own, wrong, reasons }: Judging): void {
  const accepts = acceptorOf(group.schema, draft)
  if (typeof accepts === 'string') {
    own.refused += group.tests.length
    reasons[accepts] = (reasons[accepts] ?? 0) + group.tests.length
    return
  }
  for (const each of group.tests) {
    const accepted = accepts(each.data)
    if (accepted === each.valid) own.right++
    else if (file === 'format.json' && each.valid) own.byRule++
    else
      wrong.push(`${file}: ${group.description}: ${each.description}: ${accepted ? 'accepted' : 'rejected'}`)
  }
}

/** What is accepted in all styles alike, or why the schema is refused. */
function acceptorOf(schema: unknown, draft: string | undefined): ((value: unknown) => boolean) | string {
  const whole = draft !== undefined && typeof schema === 'object' ? { $schema: draft, ...schema } : schema
  let automaton: Automaton
  try {
    const { rules, start } = compileSchema(new Regexes(), JSON.stringify(whole))
    automaton = new Automaton(rules, start)
  } catch (error) {
    if (String(error).includes('no document satisfies it')) return () => false
    if ((error as { code?: unknown }).code === 'usage') return (error as Error).message
    throw error
  }
  return (value) => {
    const [first, ...others] = WRITE_STYLES.map((style) =>
      takesValue(automaton, value, style, JSON.stringify(schema)),
    )
    expect(others).toEqual(others.map(() => first))
    return first!
  }
}
