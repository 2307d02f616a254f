/** The lines that are filtered, ranked or scored. */
import { openInput } from '../../batch/open-input.ts'
import type { Input } from '../../batch/records.ts'
import { SpoutError } from '../../errors.ts'
import { openSource } from '../batch/batch-source.ts'
import { decodeText } from '../prompt-source.ts'
import type { LineOptions } from '../scoring-flags.ts'

interface LineReading {
  /** Of the command, for hints. */
  readonly name: string
  readonly signal: AbortSignal
  /** See `openInput`. Default false. */
  readonly asItStands?: boolean
}

/** Reads up to the first line that is not blank. @throws SpoutError for an input that cannot be read, or has rows */
export async function openLines(
  words: readonly string[],
  { input: format, template }: LineOptions,
  { name, signal, asItStands }: LineReading,
): Promise<Input> {
  const source = await openSource(words, name)
  const reading = { name: source.file, format, template, asItStands }
  const input = await openInput(source.chunks(signal), reading)
  if (input.header === undefined) return input
  throw new SpoutError('usage', `input: it looks like ${input.format}, and rows are not taken`, {
    hint: '--input lines takes each line for a text',
  })
}

/** More than this is not read into memory as one text. */
const MOST_BYTES = 64 << 20

/** All of an input as one line, its line ends among it. @throws SpoutError `data` for what is no text */
export async function wholeInput(words: readonly string[], { name, signal }: LineReading): Promise<Input> {
  const source = await openSource(words, name)
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of source.chunks(signal)) {
    chunks.push(chunk)
    size += chunk.length
    if (size > MOST_BYTES) throw new SpoutError('data', `${source.name}: longer than ${MOST_BYTES >> 20} MiB`)
  }
  const bytes = Buffer.concat(chunks)
  const end = /\r?\n$/.exec(bytes.subarray(-2).toString('latin1'))?.[0] ?? ''
  const raw = decodeText(bytes, source.name) + end
  const records = raw === '' ? [] : [{ index: 0, line: 1, raw, after: size }]
  return {
    format: 'lines',
    header: undefined,
    records: (async function* () {
      yield* records
    })(),
  }
}
