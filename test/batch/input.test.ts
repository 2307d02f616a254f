/** Bytes to records: lines, formats told by content, rows. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { tellFormat } from '../../src/batch/input-format.ts'
import { type Line, MAX_LINE_BYTES, readLines } from '../../src/batch/line-reader.ts'
import { checkFields, type InputRecord, openRecords } from '../../src/batch/records.ts'
import { parseTemplate } from '../../src/batch/template.ts'
import { collect, recordsOf } from '../support/batch.ts'

async function linesOf(...chunks: (string | Uint8Array)[]): Promise<Line[]> {
  return collect(readLines(stream(chunks)))
}

async function* stream(chunks: readonly (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield Buffer.from(chunk)
}

describe('lines', () => {
  test('end with a line feed, with both, or with the input', async () => {
    expect(await linesOf('a\nb\r\n\nlast')).toEqual([
      { number: 1, text: 'a', ending: '\n', after: 2 },
      { number: 2, text: 'b', ending: '\r\n', after: 5 },
      { number: 3, text: '', ending: '\n', after: 6 },
      { number: 4, text: 'last', ending: '', after: 10 },
    ])
    expect(await linesOf('')).toEqual([])
    expect(await linesOf('a\n')).toHaveLength(1)
  })

  test('are the same however the bytes arrive', async () => {
    const text = fc.string({
      unit: fc.constantFrom('a', '€', '😀', '\n', '\r\n', '\0', '\ufeff'),
      maxLength: 30,
    })
    await fc.assert(
      fc.asyncProperty(text, fc.array(fc.nat(40)), async (input, cuts) => {
        const bytes = Buffer.from(input)
        const at = [0, ...cuts.map((cut) => Math.min(cut, bytes.length)).sort((a, b) => a - b), bytes.length]
        const chunks = at.slice(1).map((end, i) => bytes.subarray(at[i], end))
        expect(await linesOf(...chunks)).toEqual(await linesOf(bytes))
      }),
      { numRuns: 200 },
    )
  })

  test('a byte order mark goes, once, at the beginning only', async () => {
    expect((await linesOf('\ufeff\ufeffa\n\ufeffb')).map(({ text }) => text)).toEqual(['\ufeffa', '\ufeffb'])
  })

  test('UTF-16 is refused as a whole', async () => {
    await expect(linesOf(Buffer.from('\ufeffa\n', 'utf16le'))).rejects.toMatchObject({ code: 'data' })
  })

  test('one that is not UTF-8 is a problem of its own; a NUL is a character', async () => {
    const lines = await linesOf(Buffer.from([0x61, 0xff, 10, 0x62, 0, 10]))
    expect(lines.map(({ problem }) => problem?.code)).toEqual(['invalid_utf8', undefined])
    expect(lines[1]!.text).toBe('b\0')
  })

  test('8 MiB are a line, one byte more is none, and no more than that is held', async () => {
    const whole = Buffer.alloc(MAX_LINE_BYTES, 'a')
    const lines = await linesOf(
      whole,
      '\n',
      whole,
      'a\n',
      ...Array.from({ length: 20 }, () => whole),
      '\nnext',
    )
    expect(lines.map(({ text, problem }) => [text.length, problem?.code])).toEqual([
      [MAX_LINE_BYTES, undefined],
      [100, 'line_too_long'],
      [100, 'line_too_long'],
      [4, undefined],
    ])
    expect(lines.at(-1)!.after).toBe(22 * MAX_LINE_BYTES + 1 + 2 + 1 + 4)
  })
})

describe('the format', () => {
  const told = (first: string, name?: string, template?: string): string =>
    tellFormat({ first, name, template: template === undefined ? undefined : parseTemplate(template) })

  test.each([
    ['{"custom_id":"a","body":{}}', 'jsonl'],
    ['{"prompt":"a"}', 'jsonl'],
    ['{"broken', 'jsonl'],
    ['"a text"', 'jsonl'],
    ['"Yes," he said', 'lines'],
    ['{ braces', 'lines'],
    ['[INST] do it', 'lines'],
    ['Hello, world', 'lines'],
    ['id,prompt', 'csv'],
    ['id\tprompt', 'tsv'],
    ['prompt', 'lines'],
    ['12', 'lines'],
  ])('of %j is %s', (first, format) => {
    expect(told(first)).toBe(format)
  })

  test('is told by the name of the file', () => {
    expect(told('a,b', 'x.csv')).toBe('csv')
    expect(told('a', 'x.TSV')).toBe('tsv')
    expect(told('no json', 'x.ndjson')).toBe('jsonl')
    expect(told('a\tb', 'x.txt')).toBe('lines')
  })

  test('is that of rows when the first line has the fields of the template', () => {
    expect(told('name,text', undefined, 'Say {text}')).toBe('csv')
    expect(told('name\ttext', undefined, 'Say {text}')).toBe('tsv')
    expect(told('name,text', undefined, 'Say {word}')).toBe('lines')
    expect(told('name,line', undefined, 'Say {line}')).toBe('lines')
  })

  test.each(['[{"prompt":"a"},{"prompt":"b"}]', '[', ' [1]'])('%j is no line of many', (first) => {
    expect(() => told(first)).toThrow('JSON array')
  })
})

describe('records', () => {
  test('are the lines that are not blank, with the numbers of all', async () => {
    expect(await recordsOf('a\n\n \nb', 'lines')).toMatchObject([
      { index: 0, line: 1, raw: 'a', after: 2 },
      { index: 1, line: 4, raw: 'b' },
    ])
  })

  test('of rows may be many lines, and name what is wrong with them', async () => {
    const text = 'id,text\n1,"two\r\nlines"\n\n2\n3,x,y\n4,"open\nto the end'
    const records = await recordsOf(text, 'csv')
    const shown = records.map(({ line, cells, error }: InputRecord) => [line, cells, error?.message])
    expect(shown).toEqual([
      [2, ['1', 'two\r\nlines'], undefined],
      [5, ['2'], 'the row has 1 cells, the header 2'],
      [6, ['3', 'x', 'y'], 'the row has 3 cells, the header 2'],
      [7, ['4', 'open\nto the end'], 'a quoted cell is not closed'],
    ])
    expect(records[0]!.raw).toBe('1,"two\r\nlines"')
  })

  test('a quote that is not closed costs 8 MiB, not the rest', async () => {
    const filler = `${'x'.repeat(1 << 20)}\n`.repeat(9)
    const records = await recordsOf(`a\n"open\n${filler}next\n`, 'csv')
    expect(records.map(({ error }) => error?.code)).toEqual(['line_too_long', undefined, undefined])
    expect(records.at(-1)!.cells).toEqual(['next'])
  })

  test('a header that names a column twice is refused', async () => {
    await expect(recordsOf('a,b,a\n', 'csv')).rejects.toThrow('two columns are called "a"')
  })
})

describe('a template', () => {
  test('fills fields, and braces', () => {
    expect(parseTemplate('{{{a}}} {b }{a}').fill({ a: 'x', b: 2 })).toBe('{x} 2x')
    expect(parseTemplate('{a}').fill({ a: ['x'] })).toBe('["x"]')
  })

  test.each(['{a', 'a}', '{}', '{{', 'plain'])('%j is refused', (source) => {
    expect(() => parseTemplate(source)).toThrow(/template: /)
  })

  test('of a field that is not there, or null, is an error of the line', () => {
    expect(() => parseTemplate('{a}').fill({})).toThrow('there is no field "a"')
    expect(() => parseTemplate('{a}').fill({ a: null })).toThrow('the field "a" is null')
    expect(() => parseTemplate('{constructor}').fill({})).toThrow('there is no field')
  })

  test('whose fields no line has is refused before anything is loaded', async () => {
    const check = async (
      text: string,
      format: 'csv' | 'lines' | 'jsonl',
      template?: string,
    ): Promise<void> => {
      const input = await openRecords(readLines(stream([text])), format)
      const [first] = await collect(input.records)
      checkFields(input, template === undefined ? undefined : parseTemplate(template), first)
    }
    await expect(check('a,b\n1,2', 'csv', '{c}')).rejects.toMatchObject({
      code: 'usage',
      message: 'template: there is no field "c"',
      hint: 'the fields are {a}, {b}',
    })
    await expect(check('a,b\n1,2', 'csv')).rejects.toThrow('no column is called prompt; there are {a}, {b}')
    await expect(check('x', 'lines', '{text}')).rejects.toThrow('there is no field "text"')
    await expect(check('{"a":1}', 'jsonl', '{b}')).rejects.toThrow('there is no field "b"')
    await check('{"a":1}', 'jsonl', '{a}')
    await check('broken', 'jsonl', '{a}')
    await check('a,prompt\n1,2', 'csv')
  })
})
