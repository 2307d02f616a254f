import { spawnSync } from 'node:child_process'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { CsvReader, csvRow, type Delimiter } from '../../src/batch/csv.ts'

const RUNS = Number(process.env.SPOUT_CSV_RUNS ?? 500)
const python = spawnSync('python3', ['--version']).status === 0

/** Every row of a text, as the reader gives it line by line. */
function rowsOf(text: string, delimiter: Delimiter = ','): string[][] {
  const reader = new CsvReader(delimiter)
  const rows: string[][] = []
  for (const [, line, ending] of text.matchAll(/([^\n]*?)(\r?\n|$)/g)) {
    if (line === '' && !reader.isOpen) continue
    const row = reader.push(line!, ending!)
    if (row !== undefined) rows.push(row)
  }
  if (reader.isOpen) rows.push(reader.drop())
  return rows
}

test.each([
  [
    'a,b\n1,2',
    [
      ['a', 'b'],
      ['1', '2'],
    ],
  ],
  ['"a,b",c', [['a,b', 'c']]],
  ['"say ""hi""",', [['say "hi"', '']]],
  ['"two\nlines",x', [['two\nlines', 'x']]],
  [
    '"two\r\nlines",x\r\ny,z',
    [
      ['two\r\nlines', 'x'],
      ['y', 'z'],
    ],
  ],
  ['5" pipe,6"', [['5" pipe', '6"']]],
  ['"a"b,"c"', [['ab', 'c']]],
  [',,', [['', '', '']]],
  ['"\n\n"', [['\n\n']]],
])('%j', (text, rows) => {
  expect(rowsOf(text)).toEqual(rows)
})

const cell = fc.string({ unit: fc.constantFrom('a', 'é', '"', ',', '\t', '\n', '\r\n', ' ', "'") })

test('what is written is read again', () => {
  const rows = fc.array(fc.array(cell, { minLength: 1, maxLength: 4 }), { maxLength: 4 })
  fc.assert(
    fc.property(rows, fc.constantFrom<Delimiter>(',', '\t'), (cells, delimiter) => {
      expect(rowsOf(cells.map((row) => csvRow(row, delimiter)).join(''), delimiter)).toEqual(cells)
    }),
    { numRuns: RUNS },
  )
})

const PYTHON = `
import csv, io, json, sys
given = json.load(sys.stdin)
read = [[row for row in csv.reader(io.StringIO(text, newline='')) if row] for text in given['texts']]
wrote = [[row for row in csv.reader(io.StringIO(text, newline='')) if row] for text in given['written']]
json.dump({'read': read, 'wrote': wrote}, sys.stdout)
`

test.skipIf(!python)('any text is read as Python reads it, and Python reads what is written', () => {
  // Python ends a row at a lone carriage return, and at nothing but these three.
  const text = fc.string({
    unit: fc.constantFrom('a', 'b', '"', '"', ',', ',', '\n', '\r\n', ' ', 'é'),
    maxLength: 40,
  })
  const texts = fc.sample(text, RUNS)
  const rows = fc.sample(fc.array(cell, { minLength: 1, maxLength: 4 }), RUNS)
  const written = rows.map((row) => csvRow(row, ','))
  const { stdout, stderr } = spawnSync('python3', ['-c', PYTHON], {
    input: JSON.stringify({ texts, written }),
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  })
  expect(stderr).toBe('')
  const theirs = JSON.parse(stdout) as { read: string[][][]; wrote: string[][][] }
  expect(texts.map((each) => rowsOf(each))).toEqual(theirs.read)
  expect(rows.map((row) => [row])).toEqual(theirs.wrote)
})
