/**
 * Rows of cells, as RFC 4180 has them and Python's `csv` reads them: a cell that begins with a quote goes on to the next lone
 * quote, over ends of lines too; a quote elsewhere in a cell is a character of it.
 */

export type Delimiter = ',' | '\t'

/** Rows out of lines, for a row may be many lines. */
export class CsvReader {
  readonly #delimiter: Delimiter
  #cells: string[] = []
  /** The quoted cell that the last line left open. */
  #open: string | undefined

  constructor(delimiter: Delimiter) {
    this.#delimiter = delimiter
  }

  /** True while a quoted cell is open. */
  get isOpen(): boolean {
    return this.#open !== undefined
  }

  /** @returns the row that ends with this line; `undefined` when a cell of it goes on. */
  push(line: string, ending: string): string[] | undefined {
    let at = 0
    if (this.#open !== undefined) at = this.#quoted(line, 0)
    else this.#cells.push('')
    while (at < line.length && this.#open === undefined) at = this.#cell(line, at)
    if (this.#open !== undefined) {
      this.#open += ending
      return undefined
    }
    return this.drop()
  }

  /** Forgets what it holds, and gives it: a row whose last cell may be open. */
  drop(): string[] {
    const cells = this.#cells
    if (this.#open !== undefined) cells.push(`${cells.pop()}${this.#open}`)
    this.#cells = []
    this.#open = undefined
    return cells
  }

  /** Goes on from `at`, where a cell begins or goes on after its closing quote. */
  #cell(line: string, at: number): number {
    const last = this.#cells.length - 1
    if (line[at] === this.#delimiter) {
      this.#cells.push('')
      return at + 1
    }
    const begins = at === 0 || line[at - 1] === this.#delimiter
    if (begins && line[at] === '"' && this.#cells[last] === '') {
      this.#open = ''
      return this.#quoted(line, at + 1)
    }
    const found = line.indexOf(this.#delimiter, at)
    const end = found < 0 ? line.length : found
    this.#cells[last] += line.slice(at, end)
    return end
  }

  /** Goes on inside quotes. */
  #quoted(line: string, from: number): number {
    let at = from
    for (;;) {
      const quote = line.indexOf('"', at)
      if (quote < 0) {
        this.#open += line.slice(at)
        return line.length
      }
      this.#open += line.slice(at, quote)
      if (line[quote + 1] !== '"') {
        this.#cells.push(`${this.#cells.pop()}${this.#open}`)
        this.#open = undefined
        return quote + 1
      }
      this.#open += '"'
      at = quote + 2
    }
  }
}

/** One row, with a line feed at its end; cells are quoted where they must be. */
export function csvRow(cells: readonly string[], delimiter: Delimiter): string {
  // A row of one empty cell would be an empty line, which readers leave out.
  if (cells.length === 1 && cells[0] === '') return '""\n'
  return `${cells.map((cell) => csvCell(cell, delimiter)).join(delimiter)}\n`
}

function csvCell(cell: string, delimiter: Delimiter): string {
  const isPlain = !/["\r\n]/.test(cell) && !cell.includes(delimiter)
  return isPlain ? cell : `"${cell.replaceAll('"', '""')}"`
}
