import type { OpenEngineOptions } from '../open-engine.ts'
import type { Context } from './context.ts'
import type { Options } from './options.ts'
import { writeLine } from './terminal/messages.ts'
import { makeTrace } from './terminal/trace-lines.ts'

/**
 * Flags to what the engine is opened with. While files may still be fetched a signal is heard, so that the fetching
 * can end cleanly; once the weights load, the thread may be busy and a signal acts by itself.
 */
export function engineOptions(options: Options, { interrupts }: Context): OpenEngineOptions {
  return {
    model: options.model,
    dtype: options.dtype,
    runtime: options.runtime,
    threads: options.threads,
    contextLength: options.ctxSize,
    cacheDir: options.cacheDir,
    offline: options.offline,
    chatTemplateFile: options.chatTemplate,
    signal: interrupts.signal,
    onResolved: () => interrupts.release(),
    trace: makeTrace(options.trace),
    note: makeNote(options),
  }
}

export type Note = (text: string, level: 'info' | 'warning') => void

export function makeNote({ quiet, verbose }: Options): Note {
  return (text, level) => {
    if (verbose || (level === 'warning' && !quiet)) writeLine(text)
  }
}
