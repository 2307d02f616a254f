/** Text in columns, wrapped between words. */

/** Lines of help are no wider than this, whatever the terminal: help is also read in documents. */
export const HELP_WIDTH = 80

export type Row = readonly [left: string, right: string]

/** Rows in two columns, the left one as wide as its widest entry. */
export function columns(rows: readonly Row[], width = HELP_WIDTH): string {
  const left = Math.max(...rows.map(([name]) => name.length))
  const indent = ' '.repeat(left + 4)
  return rows
    .map(([name, text]) => {
      const lines = wrap(text, width - indent.length)
      return `  ${name.padEnd(left)}  ${lines.join(`\n${indent}`)}`.trimEnd()
    })
    .join('\n')
}

/** A text as lines of at most `width` characters, a longer word alone on its line. */
export function wrap(text: string, width = HELP_WIDTH): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`
    if (longer.length > width && line !== '') {
      lines.push(line)
      line = word
    } else {
      line = longer
    }
  }
  return [...lines, line]
}
