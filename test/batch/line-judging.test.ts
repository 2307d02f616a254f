/** Lines that are judged many at once and told in order, and the texts of records. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type JudgedLine, judgeLines } from '../../src/batch/judge-lines.ts'
import { lineText } from '../../src/batch/line-text.ts'
import { openInput } from '../../src/batch/open-input.ts'
import { parseTemplate } from '../../src/batch/template.ts'
import { SpoutError } from '../../src/errors.ts'
import { RequestError } from '../../src/openai/request-error.ts'
import { Best } from '../../src/scoring/best.ts'
import { parseLabelled } from '../../src/scoring/labelled.ts'
import { collect } from '../support/batch.ts'

async function* chunks(text: string): AsyncGenerator<Uint8Array> {
  for (const line of text.split(/(?<=\n)/)) yield Buffer.from(line)
}
const open = (text: string, asItStands = true) =>
  openInput(chunks(text), { name: undefined, format: 'lines', template: undefined, asItStands })

interface Script {
  /** Turns of the event loop that a line takes. */
  readonly turns: (place: number) => number
  readonly fails?: (place: number) => unknown
  readonly enough?: number
}

async function judge(text: string, { turns, fails, enough = Infinity }: Script) {
  const told: JudgedLine<string>[] = []
  let begun = 0
  const { records } = await open(text)
  const isWhole = await judgeLines<string>({
    ...{ records, parallel: 4, signal: new AbortController().signal },
    async judge(record) {
      begun++
      for (let i = 0; i < turns(record.index); i++) await new Promise(setImmediate)
      const failure = fails?.(record.index)
      if (failure !== undefined) throw failure
      return `judged ${record.raw}`
    },
    take(line) {
      told.push(line)
      return told.length < enough
    },
    open: async () => undefined,
    asSpoutError: (cause) =>
      cause instanceof SpoutError ? cause : new SpoutError('os', (cause as Error).message),
  })
  return { told, begun, isWhole }
}

const linesOf = (count: number): string => Array.from({ length: count }, (_, i) => `line ${i}\n`).join('')

describe('lines', () => {
  test('are told in their order, whatever each takes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(6), { minLength: 1, maxLength: 30 }), async (turns) => {
        const { told, isWhole } = await judge(linesOf(turns.length), { turns: (place) => turns[place]! })
        expect(told.map(({ verdict }) => verdict)).toEqual(turns.map((_, i) => `judged line ${i}`))
        expect(isWhole).toBe(true)
      }),
      { numRuns: 20 },
    )
  })

  test('end when there are enough, and few more were begun', async () => {
    const { told, begun } = await judge(linesOf(1000), { turns: () => 1, enough: 3 })
    expect(told).toHaveLength(3)
    expect(begun).toBeLessThan(20)
  })

  test('with an error are told as such, and the others go on', async () => {
    const error = new RequestError('invalid_value', 'no')
    const { told } = await judge(linesOf(5), {
      turns: () => 1,
      fails: (place) => (place === 2 ? error : undefined),
    })
    expect(told.map((line) => line.error?.message ?? 'fine')).toEqual(['fine', 'fine', 'no', 'fine', 'fine'])
  })

  test('end with what would meet every line, and with too many failures in a row', async () => {
    await expect(
      judge(linesOf(9), {
        turns: () => 1,
        fails: (place) => (place === 4 ? new Error('broken') : undefined),
      }),
    ).rejects.toThrow('broken')
    await expect(
      judge(linesOf(99), { turns: () => 0, fails: () => new RequestError('failed', 'no') }),
    ).rejects.toThrow('32 lines failed one after another; the last: line 32: no')
  })
})

describe('records as they stand', () => {
  test('joined are the input, blank lines, marks and ends among them', async () => {
    const text = fc.string({ unit: fc.constantFrom('a', ' ', '\n', '\r\n', '\ufeff', 'é'), maxLength: 30 })
    await fc.assert(
      fc.asyncProperty(text, async (input) => {
        const records = await collect((await open(input)).records)
        expect(records.map(({ written }) => written).join('')).toBe(input)
      }),
    )
  })
})

describe('the text of a record', () => {
  const textOf = (raw: string, format: 'lines' | 'jsonl', template?: string) =>
    lineText(
      { index: 0, line: 1, raw, after: 0 },
      { format, template: template === undefined ? undefined : parseTemplate(template) },
    )

  test.each([
    ['plain', 'lines', undefined, { text: 'plain' }],
    ['plain', 'lines', '<{line}>', { text: '<plain>' }],
    ['"a\\nb"', 'jsonl', undefined, { text: 'a\nb' }],
    ['{"text":"a","prompt":"b"}', 'jsonl', undefined, { text: 'a' }],
    ['{"id":3,"prompt":"b"}', 'jsonl', undefined, { text: 'b', id: 3 }],
    ['{"custom_id":"x","a":1}', 'jsonl', '{a}!', { text: '1!', id: 'x' }],
  ] as const)('%s of %s by %s', (raw, format, template, found) => {
    expect(textOf(raw, format, template)).toMatchObject(found)
  })

  test.each(['{', '[]', '3', 'null', '{"text":3}', '{}'])('%s has none', (raw) => {
    expect(() => textOf(raw, 'jsonl')).toThrow(RequestError)
  })
})

test('the best of many are those of sorting all, equal ones in their order', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(9), { maxLength: 60 }), fc.integer({ min: 1, max: 70 }), (scores, most) => {
      const [all, some] = [new Best<number>(), new Best<number>(most)]
      for (const [i, score] of scores.entries()) {
        all.add(i, score)
        some.add(i, score)
      }
      const sorted = [...scores.keys()].sort((a, b) => scores[b]! - scores[a]! || a - b)
      expect(all.sorted()).toEqual(sorted)
      expect(some.sorted()).toEqual(sorted.slice(0, most))
    }),
  )
})

test('labelled lines: the last tab parts text and label, a header and blank lines are left out', () => {
  const lines = ['Text\tLabel', 'a\tb\tyes', '', ...Array.from({ length: 9 }, () => 'c\tno\r')].join('\n')
  const labels = {
    name: 'file',
    labels: ['yes', 'no'],
    labelOf: (word: string) => ['yes', 'no'].indexOf(word),
  }
  const [first, ...others] = parseLabelled(lines, labels)
  expect(first).toEqual({ text: 'a\tb', label: 0 })
  expect(others).toEqual(Array.from({ length: 9 }, () => ({ text: 'c', label: 1 })))
})
