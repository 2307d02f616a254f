/** `spout schema 'FIELDS'`: the JSON Schema that they stand for. */
import { SpoutError } from '../../errors.ts'
import { readFields } from '../../grammar/notations/fields.ts'
import { checkStructure } from '../../grammar/structure.ts'
import { toJson } from '../../system/text-display.ts'
import type { Context } from '../context.ts'
import { commandHelp, section } from '../help/help-text.ts'
import { parseCommandLine } from '../program.ts'

const EXAMPLE =
  'name, age int 0..120, email?, role admin|user, tags [str] 1..5, pos {x float, y float}: where'

export async function schemaCommand(argv: readonly string[], { stdout }: Context): Promise<void> {
  const { words } = parseCommandLine<object>(argv, { name: 'spout schema', flags: [], help, words: true })
  if (words.length === 0)
    throw new SpoutError('usage', 'schema: no fields are given', { hint: `spout schema '${EXAMPLE}'` })
  const schema = readFields(words.join(' '))
  checkStructure({ kind: 'schema', schema: JSON.stringify(schema) })
  await stdout.write(`${toJson(schema, 2)}\n`)
}

function help(): string {
  return commandHelp({
    usage: "spout schema 'FIELDS'",
    summary: 'Prints the JSON Schema that fields stand for, as --schema takes them.',
    more: [
      section('Fields, with commas or lines between', [
        ['name', 'a text'],
        [
          'age int 0..120',
          'a whole number in a range; str, float, bool, null, any, date, time, datetime, email, uri, uuid',
        ],
        ['email?', 'may be left out'],
        ['role admin|user', 'one of these'],
        ['tags [str] 1..5', 'a list of 1 to 5 texts'],
        ['pos {x float, y float}', 'fields of its own'],
        ['city: where it is', 'a description, for the model'],
      ]),
    ],
  })
}
