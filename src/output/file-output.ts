/**
 * `-o FILE`, as a shell's `>` would find it, but all or nothing: until the answer is whole, and whenever anything fails,
 * the old file is as it was. Descriptors, devices and pipes get the answer as it comes.
 */
import { constants, createWriteStream, fstatSync, openSync, type Stats, statSync } from 'node:fs'
import { Socket } from 'node:net'
import type { Writable } from 'node:stream'
import { isatty } from 'node:tty'
import { findOutput, type OutputTarget } from './output-path.ts'
import { openStdout, outputError } from './stdout.ts'
import { type FileOutput, type FileOutputOptions, openWholeFile } from './whole-file.ts'

export type { FileOutput } from './whole-file.ts'

/** @throws SpoutError `output` when nothing can be written there; nothing has been written then. */
export function openFileOutput(path: string, options: FileOutputOptions = {}): FileOutput {
  try {
    const target = findOutput(path)
    if (target.kind === 'file') return openWholeFile(path, target, options)
    if (target.kind === 'device') return streaming(path, deviceStream(target.path, target.status))
    return streaming(path, descriptorStream(target))
  } catch (cause) {
    throw outputError(path, cause)
  }
}

interface OpenStream {
  readonly stream: Writable
  readonly isTerminal: boolean
}

function streaming(path: string, { stream, isTerminal }: OpenStream): FileOutput {
  const { write, flush } = openStdout(stream, path)
  return { write, flush, isTerminal, commit: () => undefined, discard: () => undefined }
}

/** A pipe is opened aside: that waits for its reader. Everything else says at once whether it can be written. */
function deviceStream(path: string, status: Stats): OpenStream {
  if (status.isFIFO()) return { stream: createWriteStream(path), isTerminal: false }
  return fileStream(openSync(path, constants.O_WRONLY | (constants.O_NOCTTY ?? 0)))
}

/** Our own descriptor is written as it is, at its own place in the file; another process's is opened anew, to append. */
function descriptorStream({ path, own }: OutputTarget & { kind: 'descriptor' }): OpenStream {
  if (own === 1) return { stream: process.stdout, isTerminal: isatty(1) }
  if (own === 2) return { stream: process.stderr, isTerminal: isatty(2) }
  if (own === undefined) {
    const status = statSync(path)
    if (!status.isFile()) return deviceStream(path, status)
    return fileStream(openSync(path, constants.O_WRONLY | constants.O_APPEND))
  }
  const status = fstatSync(own)
  if (status.isDirectory()) throw Object.assign(new Error('EISDIR'), { code: 'EISDIR' })
  if (!status.isFIFO() && !status.isSocket()) return fileStream(own)
  return { stream: new Socket({ fd: own, readable: false, writable: true }), isTerminal: false }
}

function fileStream(fd: number): OpenStream {
  return { stream: createWriteStream('', { fd, autoClose: false }), isTerminal: isatty(fd) }
}
