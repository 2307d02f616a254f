/**
 * Words that begin with one dash. `-vn5` is flags; `-sad ending please` is a text, which the parser would obey as
 * `-s "ad ending please"`: no word that holds a blank or an unknown letter is taken for flags.
 */
import { SpoutError } from '../errors.ts'
import { quote } from '../system/text-display.ts'
import { type Flag, longName, shortName, takesValue } from './flags.ts'

/** @throws SpoutError `usage` for a text that would be obeyed; it names how to write it. */
export function refuseTexts(argv: readonly string[], name: string, flags: readonly Flag[]): void {
  const known = new Map<string, Flag>()
  for (const flag of flags)
    for (const spelling of [shortName(flag), longName(flag)]) if (spelling) known.set(spelling, flag)
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i]!
    if (word === '--') return
    const last = isCluster(word) ? lastOfCluster(word, name, known) : word
    const flag = known.get(last)
    // Its value is the next word, whatever that looks like.
    if (flag !== undefined && takesValue(flag)) i++
  }
}

/** Negative numbers are words. */
function isCluster(word: string): boolean {
  return /^-[^-]/s.test(word) && (word.length > 2 || /\s/.test(word)) && !/^-(\d+|\d*\.\d+)$/.test(word)
}

/** The flag of a cluster that may take the next word; '' when none does. */
function lastOfCluster(word: string, name: string, known: ReadonlyMap<string, Flag>): string {
  for (const [i, letter] of [...word.slice(1)].entries()) {
    const flag = known.get(`-${letter}`)
    if (flag !== undefined && !takesValue(flag)) continue
    const rest = [...word.slice(1)].slice(i + 1).join('')
    if (flag === undefined || /\s/.test(word)) throw isText(word, name, flag && valueHint(word, letter, rest))
    return rest === '' ? `-${letter}` : ''
  }
  return ''
}

function valueHint(word: string, letter: string, rest: string): string {
  const before = word.slice(1, word.length - rest.length - 1)
  return `; a value: -${before}${letter} ${shellWord(rest.trim())}`
}

function isText(word: string, name: string, or = ''): SpoutError {
  return new SpoutError('usage', `${quote(word, 80)}: neither flags nor plainly a prompt`, {
    hint: `a prompt: ${name} -- ${shellWord(word)}${or}`,
  })
}

/** A word as a shell reads it. */
export function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${cut(word).replaceAll("'", "'\\''")}'`
}

function cut(text: string): string {
  return text.length > 80 ? `${text.slice(0, 80)}…` : text
}
