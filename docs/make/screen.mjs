/**
 * A terminal as far as a recording needs one: text, line ends, cursor moves within the screen, erasing, and the
 * colours that this program uses. Unknown sequences are dropped.
 */
const SEQUENCE = /\x1b\[([?>]?)([\d;]*)([A-Za-z])|\x1b\][^\x07]*\x07|\x1b[=>()][0-9A-B]?/y

/** @typedef {{ char: string, style: string }} Cell */

export class Screen {
  /** @type {Cell[][]} */
  rows = [[]]
  #row = 0
  #column = 0
  #style = ''

  /** @param {{ columns: number, height: number }} size rows above the last `height` scroll away */
  constructor({ columns, height }) {
    this.columns = columns
    this.height = height
  }

  /** @param {string} text */
  write(text) {
    for (let i = 0; i < text.length; ) {
      SEQUENCE.lastIndex = i
      const found = SEQUENCE.exec(text)
      if (found !== null) {
        i = SEQUENCE.lastIndex
        if (found[3] !== undefined && found[1] === '')
          this.#control(found[3], found[2].split(';').map(Number))
        continue
      }
      const char = String.fromCodePoint(text.codePointAt(i))
      i += char.length
      this.#put(char)
    }
  }

  /** The rows that are seen, each as runs of one style. */
  lines() {
    return this.rows.slice(-this.height).map((row) => {
      /** @type {{ text: string, style: string }[]} */
      const runs = []
      for (const { char, style } of row) {
        if (runs.at(-1)?.style === style) runs.at(-1).text += char
        else runs.push({ text: char, style })
      }
      return runs
    })
  }

  #put(char) {
    if (char === '\n') {
      this.#down()
    } else if (char === '\r') {
      this.#column = 0
    } else if (char === '\b') {
      this.#column = Math.max(0, this.#column - 1)
    } else if (char >= ' ') {
      if (this.#column === this.columns) {
        this.#down()
        this.#column = 0
      }
      const row = this.rows[this.#row]
      while (row.length < this.#column) row.push({ char: ' ', style: '' })
      row[this.#column++] = { char, style: this.#style }
    }
  }

  #down() {
    this.#row++
    this.rows[this.#row] ??= []
  }

  #control(letter, [first = 0]) {
    const row = this.rows[this.#row]
    if (letter === 'm') this.#style = { 1: 'bold', 2: 'dim', 36: 'cyan' }[first] ?? ''
    else if (letter === 'G') this.#column = Math.max(0, first - 1)
    else if (letter === 'C') this.#column += first || 1
    else if (letter === 'D') this.#column = Math.max(0, this.#column - (first || 1))
    else if (letter === 'A') this.#row = Math.max(0, this.#row - (first || 1))
    else if (letter === 'K' || letter === 'J') {
      row.length = first === 2 ? 0 : Math.min(row.length, this.#column)
      if (letter === 'J') this.rows.length = this.#row + 1
    }
  }
}
