/** A file that is read here and there for as long as somebody may ask. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { SpoutError } from '../errors.ts'

export interface Reader {
  readonly size: number
  /** Fills an array from a place of the file. @throws SpoutError `failed` when the file has become shorter. */
  read(into: Uint8Array | Uint16Array | Int32Array | Uint32Array, at: number): void
}

/** Closes the files of readers that are gone. */
const handles = new FinalizationRegistry<number>(closeSync)

/** @throws what the file system says. */
export function openReader(path: string): Reader {
  const handle = openSync(path, 'r')
  const reader: Reader = {
    size: fstatSync(handle).size,
    read(into, at) {
      for (let done = 0; done < into.byteLength; ) {
        const bytes = readSync(handle, into, done, into.byteLength - done, at + done)
        if (bytes === 0) throw new SpoutError('failed', 'tokenizer: its prepared file was cut short')
        done += bytes
      }
    },
  }
  handles.register(reader, handle)
  return reader
}
