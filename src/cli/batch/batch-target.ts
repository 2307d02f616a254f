/** Where the answers of a batch go: a file that survives its process, or a stream. */
import { fstatSync, type Stats, statSync } from 'node:fs'
import { type FinishedOutput, Journal, openJournal } from '../../batch/journal.ts'
import type { Settings } from '../../batch/journal-entries.ts'
import { SIDE_FILES } from '../../batch/journal-files.ts'
import { lockOutput, type OutputLock } from '../../batch/output-lock.ts'
import type { BatchOutput } from '../../batch/run-batch.ts'
import { SpoutError } from '../../errors.ts'
import { openFileOutput } from '../../output/file-output.ts'
import { findOutput } from '../../output/output-path.ts'
import { type Output, outputError } from '../../output/stdout.ts'
import { escapeStream } from '../../system/text-display.ts'
import type { BatchOptions } from '../batch-flags.ts'
import type { BatchSource } from './batch-source.ts'

export interface BatchTarget extends BatchOutput {
  /** Errors among all that is written. */
  readonly failed: number
  /** @throws SpoutError `usage` when what is there was written by another model. */
  checkModel?(model: Settings): void
  /** All is written. */
  finish(records: number, mark: string): Promise<void>
  /** What was written stays. */
  close(): void
}

interface TargetInput {
  readonly options: BatchOptions
  readonly source: BatchSource
  readonly settings: Settings
  readonly head: string
  readonly stdout: Output
  readonly signal: AbortSignal
  readonly note: (text: string) => void
}

/**
 * @returns where to write, or what a run before has finished
 * @throws SpoutError `usage` for an output that is the input, `output` for one that cannot be written.
 */
export async function openTarget(input: TargetInput): Promise<BatchTarget | FinishedOutput> {
  const { options, source, stdout, head } = input
  const path = options.output === '-' ? undefined : options.output
  if (path === undefined) {
    if (isSame(source.status, fstatOf(1))) throw isInput('output')
    return streamTarget(stdout, { head, isTerminal: process.stdout.isTTY === true })
  }
  const target = found(path)
  if (target.kind === 'file') return fileTarget(path, target.path, input)
  const file = openFileOutput(path)
  return streamTarget(file, { head, isTerminal: file.isTerminal })
}

function found(path: string): ReturnType<typeof findOutput> {
  try {
    return findOutput(path)
  } catch (cause) {
    throw outputError(path, cause)
  }
}

async function fileTarget(
  name: string,
  path: string,
  input: TargetInput,
): Promise<BatchTarget | FinishedOutput> {
  const { options, source, settings, head, signal, note } = input
  const places = [path, ...Object.values(SIDE_FILES).map((suffix) => `${path}${suffix}`)]
  if (places.some((each) => isSame(source.status, statSync(each, { throwIfNoEntry: false }))))
    throw isInput(name)
  const lock = await lockOutput(`${path}${SIDE_FILES.lock}`, name, { signal, note })
  try {
    const { fresh = false, retryErrors = false, unordered = false } = options
    const opened = openJournal({ path, name, settings, head, ordered: !unordered, fresh, retryErrors })
    if (opened instanceof Journal) return keptTarget(opened, lock)
    lock.release()
    return opened
  } catch (error) {
    lock.release()
    throw error
  }
}

function keptTarget(journal: Journal, lock: OutputLock): BatchTarget {
  const close = (): void => {
    journal.close()
    lock.release()
  }
  return {
    get failed() {
      return journal.failed
    },
    next: journal.next,
    ahead: journal.ahead,
    isDone: (place) => journal.isDone(place),
    checkInput: (place, mark) => journal.checkInput(place, mark),
    checkModel: (model) => journal.checkModel(model),
    write: (piece) => journal.write(piece),
    keep: (piece) => journal.keep(piece),
    advance: (place) => journal.advance(place),
    async finish(records, mark) {
      journal.finish(records, mark)
      close()
    },
    close,
  }
}

/** A model must not drive a terminal. */
function streamTarget(
  output: Output,
  { head, isTerminal }: { readonly head: string; readonly isTerminal: boolean },
): BatchTarget {
  const shown = isTerminal ? escapeStream : (text: string): string => text
  let failed = 0
  let begun = false
  const begin = (): string => {
    const text = begun ? '' : head
    begun = true
    return text
  }
  return {
    get failed() {
      return failed
    },
    write(piece) {
      if (piece.failed) failed++
      return output.write(shown(begin() + piece.text))
    },
    async finish() {
      await output.write(shown(begin()))
      await output.flush()
    },
    close: () => undefined,
  }
}

function isInput(name: string): SpoutError {
  return new SpoutError('usage', `${name}: it is the input`, { hint: 'write the answers elsewhere' })
}

function isSame(a: Stats, b: Stats | undefined): boolean {
  return b !== undefined && a.isFile() && b.isFile() && a.dev === b.dev && a.ino === b.ino
}

function fstatOf(file: number): Stats | undefined {
  try {
    return fstatSync(file)
  } catch {
    return undefined
  }
}
