import type { OpenEngineOptions } from '../open/open-engine.ts'
import type { Context } from './context.ts'
import type { Options } from './options.ts'
import { promptCacheMode } from './prompt-cache-mode.ts'
import { createDownloadProgress, type DownloadProgress } from './terminal/download-progress.ts'
import { writeLine } from './terminal/messages.ts'
import { makeTrace } from './terminal/trace-lines.ts'

interface EngineMoments {
  /** Waited for before anything is fetched. */
  readonly beforeFetch?: () => Promise<void>
  /** Before the first word about a download. */
  readonly onDownload?: () => void
  /** It is opened for a conversation. */
  readonly wantsChat?: boolean
  /** What was kept of prompts on disk is read, where flags and settings allow it. */
  readonly readsPrompts?: boolean
}

/**
 * Flags to what the engine is opened with. While files may still be fetched a signal is heard, so that the fetching
 * can end cleanly; once the weights load, the thread may be busy and a signal acts by itself.
 */
export function engineOptions(
  options: Options,
  { interrupts }: Context,
  { beforeFetch, onDownload, wantsChat = false, readsPrompts = false }: EngineMoments = {},
): OpenEngineOptions {
  const download = options.quiet ? undefined : lazyProgress(onDownload)
  return {
    model: options.model,
    dtype: options.dtype,
    runtime: options.runtime,
    device: options.device,
    threads: options.threads,
    contextLength: options.ctxSize,
    draftModel: options.drafts === 'off' ? undefined : options.draftModel,
    prepare: options.prepare,
    precise: options.precise,
    promptFiles: readsPrompts && promptCacheMode(options) !== 'off',
    cacheDir: options.cacheDir,
    offline: options.offline,
    chatTemplateFile: options.chatTemplate,
    wantsChat: wantsChat || options.system !== undefined || options.systemFile !== undefined,
    signal: interrupts.signal,
    beforeFetch,
    onProgress: download?.onProgress,
    onResolved: () => {
      download?.close()
      interrupts.release()
    },
    trace: makeTrace(options.trace),
    note: makeNote(options),
  }
}

/** Bars for downloads; nothing is made where everything is cached. */
function lazyProgress(onDownload?: () => void): Pick<DownloadProgress, 'onProgress' | 'close'> {
  let progress: DownloadProgress | undefined
  return {
    onProgress(state) {
      if (progress === undefined) {
        onDownload?.()
        progress = createDownloadProgress(process.stderr, { env: process.env })
      }
      progress.onProgress(state)
    },
    close: () => progress?.close(),
  }
}

type Note = (text: string, level: 'info' | 'warning') => void

function makeNote({ quiet, verbose }: Options): Note {
  return (text, level) => {
    if (verbose || (level === 'warning' && !quiet)) writeLine(text)
  }
}
