/** Reads at any place of a file, which stays open for as long as its reader is referenced. */
import { closeSync, fstatSync, readSync } from 'node:fs'
import { openRegular } from '../system/regular-file.ts'

export interface Reader {
  readonly size: number
  /** Fills an array from a place of the file. @throws what the file system says, RangeError past the end. */
  read(into: Uint8Array | Int32Array, at: number): void
  /** @returns whether that was possible. */
  tryRead(into: Uint8Array | Int32Array, at: number): boolean
}

/** Closes the files of readers that are gone. */
const handles = new FinalizationRegistry<number>(closeSync)

/** @throws what the file system says. */
export function openReader(path: string): Reader {
  const handle = openRegular(path)
  const read: Reader['read'] = (into, at) => {
    for (let done = 0; done < into.byteLength; ) {
      const bytes = readSync(handle, into, done, into.byteLength - done, at + done)
      if (bytes === 0) throw new RangeError('the file ends before')
      done += bytes
    }
  }
  const reader: Reader = {
    size: fstatSync(handle).size,
    read,
    tryRead: (into, at) => succeeds(() => read(into, at)),
  }
  handles.register(reader, handle)
  return reader
}

function succeeds(work: () => void): boolean {
  try {
    work()
    return true
  } catch {
    return false
  }
}
