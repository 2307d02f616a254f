/** `spout batch merge`: the outputs of all shards as one. */
import { findShards, mergeShards } from '../../batch/merge.ts'
import { SpoutError } from '../../errors.ts'
import { openFileOutput } from '../../output/file-output.ts'
import { MERGE_FLAGS } from '../batch-flags.ts'
import type { Context } from '../context.ts'
import { commandHelp } from '../help/help-text.ts'
import { parseCommandLine } from '../program.ts'

function mergeHelp(): string {
  return commandHelp({
    usage: 'spout batch merge [-o file] <output>...',
    summary:
      'Writes the outputs of all shards as one, in the order of the input, once it has made sure that all lines are ' +
      'there, each once. What lies beside an output (.journal, .partial) may be named with it: spout batch merge OUT.*',
    flags: MERGE_FLAGS,
  })
}

/** Text that is written at once. */
const PIECE_CHARS = 1 << 16

export async function mergeCommand(argv: readonly string[], { stdout, interrupts }: Context): Promise<void> {
  const line = { name: 'spout batch merge', flags: MERGE_FLAGS, help: mergeHelp, words: true }
  const { words, options } = parseCommandLine<{ readonly output?: string }>(argv, line)
  const files = findShards(words.filter((word) => word !== options.output))
  const file =
    options.output === undefined || options.output === '-' ? undefined : openFileOutput(options.output)
  const output = file ?? stdout
  interrupts.listen()
  try {
    let held = ''
    for (const text of mergeShards(files)) {
      held += text
      if (held.length < PIECE_CHARS) continue
      await output.write(held)
      interrupts.signal.throwIfAborted()
      held = ''
    }
    await output.write(held)
    await output.flush()
    file?.commit()
  } catch (error) {
    file?.discard()
    throw error
  } finally {
    interrupts.release()
  }
  const failed = files.reduce((sum, each) => sum + each.failed, 0)
  if (failed > 0)
    throw new SpoutError(
      'failed',
      `merge: ${failed === 1 ? '1 line has an error' : `${failed} lines have errors`}`,
    )
}
