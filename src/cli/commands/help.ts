/** `spout help [topic]`: a page of help, or the manual page. The help of a command is the command's own. */
import { SpoutError } from '../../errors.ts'
import { quote } from '../../system/text-display.ts'
import { COMMANDS } from '../command-table.ts'
import type { Context } from '../context.ts'
import { shortHelp } from '../help/help-text.ts'
import { findTopic, TOPICS } from '../help/topics.ts'
import { nearest } from '../nearest.ts'
import { parseCommandLine } from '../program.ts'

export async function helpCommand(argv: readonly string[], context: Context): Promise<void> {
  const { words } = parseCommandLine(argv, { name: 'spout help', flags: [], help: shortHelp, words: true })
  const [topic] = words
  if (topic === undefined) return print(shortHelp(), context)
  const page = words.length === 1 ? findTopic(topic) : undefined
  if (page !== undefined) return print(page.text(), context)
  throw unknownTopic(words)
}

async function print(text: string, { stdout }: Context): Promise<void> {
  await stdout.write(text)
  await stdout.flush()
}

function unknownTopic(words: readonly string[]): SpoutError {
  const names = [...TOPICS, ...COMMANDS].map(({ name }) => name)
  const near = words.length === 1 ? nearest(words[0]!, names) : undefined
  const otherwise = `topics are ${names.join(', ')}; a prompt: spout -- help ...`
  return new SpoutError('usage', `help: no topic is called ${quote(words.join(' '), 80)}`, {
    hint: near === undefined ? otherwise : `did you mean ${near}`,
  })
}
