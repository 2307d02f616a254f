/** Where the lines of a batch come from. */

import { fstatSync, type Stats } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { SpoutError } from '../../errors.ts'
import { unreadable } from '../prompt-source.ts'

export interface BatchSource {
  /** As messages call it. */
  readonly name: string
  /** `undefined` for stdin. */
  readonly file: string | undefined
  readonly status: Stats
  /** The bytes, once; they end when the signal aborts. */
  chunks(signal: AbortSignal): AsyncIterable<Uint8Array>
}

/** @param command as hints name it. @throws SpoutError `usage` when there is none, `not-found` for a file that cannot be read. */
export async function openSource(words: readonly string[], command = 'spout batch'): Promise<BatchSource> {
  const [file, ...more] = words.filter((word) => word !== '-')
  if (more.length > 0 || (file !== undefined && words.includes('-'))) {
    throw new SpoutError('usage', 'input: more than one is named', {
      hint: `cat them: cat a b | ${command}`,
    })
  }
  return file === undefined ? stdinSource(words.length > 0, command) : fileSource(file)
}

function stdinSource(isNamed: boolean, command: string): BatchSource {
  if (process.stdin.isTTY && !isNamed) {
    throw new SpoutError('usage', 'input: none given', { hint: `${command} FILE, or pipe lines in` })
  }
  const status = fstatSync(0)
  if (status.isDirectory()) throw new SpoutError('not-found', 'stdin: it is a folder')
  return { name: 'stdin', file: undefined, status, chunks: (signal) => ending(process.stdin, signal) }
}

async function fileSource(file: string): Promise<BatchSource> {
  let handle: FileHandle
  try {
    handle = await open(file)
  } catch (cause) {
    throw unreadable(file, cause as NodeJS.ErrnoException)
  }
  const status = await handle.stat()
  if (status.isDirectory()) throw new SpoutError('not-found', `${file}: it is a folder`)
  return { name: file, file, status, chunks: (signal) => ending(handle.createReadStream(), signal) }
}

/** A stream that is closed by the signal has ended: what was read until then counts. */
async function* ending(
  stream: NodeJS.ReadableStream & { destroy(): unknown },
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  const stop = (): void => void stream.destroy()
  signal.addEventListener('abort', stop, { once: true })
  try {
    for await (const chunk of stream) {
      if (signal.aborted) return
      yield chunk as Buffer
    }
  } catch (error) {
    if (!signal.aborted) throw unreadable('input', error as NodeJS.ErrnoException)
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
