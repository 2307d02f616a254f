/** A batch as the command line asks for it: all that is known before anything is loaded. */

import { openInput } from '../../batch/open-input.ts'
import type { OutputFormat } from '../../batch/output-format.ts'
import type { Input } from '../../batch/records.ts'
import { TaskReader } from '../../batch/tasks.ts'
import type { RequestInput } from '../../engine/request.ts'
import type { StructureRequest } from '../../engine/structure-request.ts'
import { SpoutError } from '../../errors.ts'
import type { BatchOptions } from '../batch-flags.ts'
import { readText } from '../prompt-source.ts'
import { serversOf } from '../remote/engine-flags.ts'
import { hasStructure, requestOptions } from '../request-from-flags.ts'
import { structureFromFlags } from '../structure-from-flags.ts'
import { inputFormatOf, outputFormatOf } from './batch-formats.ts'
import type { BatchSource } from './batch-source.ts'

export interface BatchJob {
  readonly options: BatchOptions
  readonly source: BatchSource
  readonly input: Input
  readonly output: OutputFormat
  /** What the flags say of every request. */
  readonly defaults: Omit<RequestInput, 'prompt' | 'history'>
  /** The text of `--file`. */
  readonly before: string | undefined
  /** The text of a chat template of the user's. */
  readonly chatTemplate: string | undefined
}

/** Reads the files that flags name, and the input up to its first record. @throws SpoutError for what cannot be read. */
export async function openJob(
  source: BatchSource,
  options: BatchOptions,
  signal: AbortSignal,
): Promise<BatchJob> {
  const { template, file, systemFile, chatTemplate } = options
  const system = systemFile === undefined ? options.system : await readText(systemFile)
  const before = file === undefined ? undefined : (await Promise.all(file.map(readText))).join('\n\n')
  const format = inputFormatOf(options)
  return {
    options,
    source,
    input: await openInput(source.chunks(signal), { name: source.file, format, template }),
    output: outputFormatOf(options),
    defaults: { ...requestOptions(options), system, structure: await structureOf(options, source) },
    before,
    chatTemplate: chatTemplate === undefined ? undefined : await readText(chatTemplate),
  }
}

/** What every answer must satisfy, unless its line says otherwise. */
async function structureOf(
  options: BatchOptions,
  { file }: BatchSource,
): Promise<StructureRequest | undefined> {
  if (file === undefined && (options.schema === '-' || options.items === '-')) {
    throw new SpoutError('usage', 'schema: stdin is the input', { hint: 'put the schema into a file' })
  }
  return hasStructure(options) ? (await structureFromFlags(options)).request : undefined
}

/** A reader of this input's records. */
export function readerOf({ input, options, defaults, before }: BatchJob): TaskReader {
  const { template, seedBy } = options
  // A server promises nothing of a seed: none is sent that was not asked for.
  const seed = options.seed ?? (serversOf(options).length > 0 ? undefined : 0n)
  const { sampling, ...rest } = defaults
  const { seed: _, ...chosen } = sampling ?? {}
  return new TaskReader(input, {
    defaults: { ...rest, sampling: chosen },
    template,
    before,
    runSeed: seed,
    seedByLine: seedBy === 'line',
  })
}
