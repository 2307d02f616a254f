/**
 * An output file that survives any death of its process. It grows as `OUT.partial`, which holds what OUT will hold and nothing
 * else, so that taking its name is all that is left at the end; what it means is told by `OUT.journal` beside it, which stays:
 * the same command knows by it that all is done. In order, answers that wait for an earlier one are kept in the journal.
 */
import { SpoutError } from '../errors.ts'
import { quote } from '../system/text-display.ts'
import { type JournalState, journalLines, readJournal, type Settings } from './journal-entries.ts'
import {
  type FilePlace,
  JournalFiles,
  removeSideFiles,
  rewriteJournal,
  SIDE_FILES,
  statusOf,
  unwritable,
} from './journal-files.ts'
import { OldOutput } from './old-output.ts'
import type { Piece, PieceSink } from './output-order.ts'
import { refuseOthers } from './settings-differ.ts'

interface JournalOptions extends FilePlace {
  readonly settings: Settings
  /** What the output begins with, whatever the answers are. */
  readonly head: string
  readonly ordered: boolean
  /** Forget what there is. */
  readonly fresh: boolean
  /** Ask again for what had failed. */
  readonly retryErrors: boolean
}

/** An output that a run before has finished. */
export interface FinishedOutput {
  readonly records: number
  readonly failed: number
  /** Of the whole input. */
  readonly mark: string
}

/**
 * @returns the journal to go on with, or what a run before has finished
 * @throws SpoutError `usage` when what is there was begun with other settings, `output` when nothing can be written.
 */
export function openJournal(options: JournalOptions): Journal | FinishedOutput {
  const { path, name, settings, fresh, retryErrors } = options
  try {
    if (fresh) removeSideFiles(path)
    const state = readState(options)
    if (state !== undefined) refuseOthers(name, state.settings, settings)
    if (state?.finished === undefined) return new Journal(options, state)
    const { finished, failed } = state
    if (statusOf(`${path}${SIDE_FILES.partial}`) !== undefined) {
      // It died between its last two acts.
      const files = new JournalFiles(options, { data: finished.to, log: state.bytes })
      files.commit({ ...finished, finished: finished.records, failed })
      files.close()
    }
    if (!retryErrors || failed === 0) return { ...finished, failed }
    rewriteJournal(path, linesToAskAgain(path))
    return new Journal(options, readState(options))
  } catch (cause) {
    throw unwritable(name, cause)
  }
}

/** `undefined` where there is nothing to go on with. @throws SpoutError `usage` when the output is another than the journal's. */
function readState({ path, name, ordered }: JournalOptions): JournalState | undefined {
  const [partial, whole] = [statusOf(`${path}${SIDE_FILES.partial}`), statusOf(path)]
  const journal = `${path}${SIDE_FILES.journal}`
  const state = readJournal(journal, { size: partial?.size ?? Number.POSITIVE_INFINITY, ordered })
  if (state?.finished === undefined) {
    const isThere = partial !== undefined || (state !== undefined && state.to === undefined)
    return isThere ? state : undefined
  }
  if (partial !== undefined || whole?.size === state.finished.to) return state
  // Moved away: whoever did that wants another.
  if (whole === undefined) return undefined
  throw new SpoutError('usage', `${quote(name, 200)}: it has been changed since it was written`, {
    hint: '--fresh starts over',
  })
}

function* linesToAskAgain(path: string): Generator<string, void, void> {
  for (const { entry, text } of journalLines(`${path}${SIDE_FILES.journal}`)) {
    if ('at' in entry) {
      const { at: again, from, to } = entry
      if (from !== undefined) yield JSON.stringify({ again, from, to })
    } else if ('finished' in entry) {
      const { finished: again_of, mark, to } = entry
      yield JSON.stringify({ again_of, mark, to })
    } else {
      yield text
    }
  }
}

export class Journal implements PieceSink {
  /** Every record before it is done; where order matters, written. */
  readonly next: number
  /** Done before their turn by a run before. */
  readonly ahead: Iterable<Piece>
  readonly #options: JournalOptions
  readonly #state: JournalState | undefined
  readonly #files: JournalFiles
  readonly #old: OldOutput | undefined
  #failed: number
  #isClosed = false

  constructor(options: JournalOptions, state: JournalState | undefined) {
    this.#options = options
    this.#state = state
    this.#failed = state?.failed ?? 0
    this.#old = state?.againOf && new OldOutput(options, state)
    this.next = Math.max(state?.next ?? 0, options.ordered ? (this.#old?.first ?? 0) : 0)
    this.ahead = state?.ahead.values() ?? []
    this.#files = new JournalFiles(options, { data: state?.to ?? 0, log: state?.bytes ?? 0 })
    if (state?.to === undefined) this.#begin()
  }

  /** How many of the outputs are errors. */
  get failed(): number {
    return this.#failed
  }

  /** True when a run before has answered it, or tried to. */
  isDone(place: number): boolean {
    const { next = 0, done, ahead } = this.#state ?? {}
    return place < next || done?.has(place) || ahead?.has(place) || this.#old?.keeps(place) || false
  }

  /** @throws SpoutError `usage` when what is there was written by another model. */
  checkModel(model: Settings): void {
    if (this.#state?.model === undefined) this.#files.note({ model })
    else refuseOthers(this.#options.name, this.#state.model, model)
  }

  /**
   * @param mark of the input up to and with this record
   * @throws SpoutError `usage` when the input is not that of the run before.
   */
  checkInput(place: number, mark: string): void {
    const known = this.#state?.marks.get(place)
    if (known !== undefined && known !== mark) throw otherInput(this.#options.name)
  }

  write({ place, mark, text, failed }: Piece): undefined {
    const from = this.#files.size
    this.#files.append(text)
    if (failed) this.#failed++
    this.#files.note({ at: place, mark, to: this.#files.size, ...(failed ? { from } : {}) })
  }

  keep({ place, mark, text, failed }: Piece): void {
    if (this.#state?.ahead.has(place)) return
    this.#files.note({ ahead: place, mark, text, ...(failed ? { failed } : {}) })
  }

  /** Between two records that are asked again the old output is right. */
  advance(place: number): number {
    if (this.#old === undefined || !this.#options.ordered) return place
    const end = this.#old.copyAfter(place - 1, this.#files)
    if (end === undefined) return place
    this.#files.note({ at: end - 1, to: this.#files.size })
    return end
  }

  /**
   * The output takes its name.
   * @throws SpoutError `usage` when the input is not that of the run before.
   */
  finish(records: number, mark: string): void {
    checkWhole(this.#options.name, this.#state?.againOf, { records, mark })
    const last = Math.max(-1, ...(this.#state?.marks.keys() ?? []))
    if (last >= records) throw otherInput(this.#options.name)
    this.#files.commit({ finished: records, mark, to: this.#files.size, failed: this.#failed })
  }

  /** What was written stays, for the next run. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#old?.close()
    this.#files.close()
  }

  #begin(): void {
    const { head, settings } = this.#options
    if (this.#state === undefined) this.#files.note({ spout_batch: 1, settings })
    if (this.#old === undefined) this.#files.append(head)
    else this.#old.copyBeginning(this.#files, this.#options.ordered)
  }
}

/** @throws SpoutError `usage` when an input is not the one that was read before. */
export function checkWhole(
  name: string,
  known: { readonly records: number; readonly mark: string } | undefined,
  now: { readonly records: number; readonly mark: string },
): void {
  if (known === undefined || (known.records === now.records && known.mark === now.mark)) return
  throw otherInput(name)
}

function otherInput(name: string): SpoutError {
  return new SpoutError('usage', `${quote(name, 200)}: the input has been changed since it was begun`, {
    hint: '--fresh starts over',
  })
}
