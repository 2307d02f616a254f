/**
 * What a page on disk is called. A key is a hash of the key before it and of the page's ids, so it stands for the whole text up to
 * there; the first has the root before it, a hash of all else that keys and values depend on.
 */
import { createHash } from 'node:crypto'
import { endianness } from 'node:os'
import { PAGE } from '../backend/kv.ts'

/** Counted up whenever pages lie otherwise in memory, or files are written otherwise. */
export const LAYOUT = 1

export interface RootFacts {
  /** Of the model's numerics: what was changed of its files, its kernels, its rope tables. */
  readonly fingerprint: string
  readonly pageBytes: number
  /** Whose pages they are: texts of one owner are not found by another. Default: this user's. */
  readonly salt?: string | undefined
}

/** One page of a text. */
export interface PageKey {
  /** 32 bytes, as are those of `parent`: the key of the page before it, or the root. */
  readonly key: Buffer
  readonly parent: Buffer
  /** `PAGE` of them, a view. */
  readonly ids: Int32Array
}

export function rootKey({ fingerprint, pageBytes, salt = '' }: RootFacts): Buffer {
  const facts = ['spout pages', LAYOUT, PAGE, pageBytes, fingerprint, endianness(), salt]
  return createHash('sha256').update(JSON.stringify(facts)).digest()
}

/** Of all full pages of a text, first to last. */
export function* pageKeys(root: Buffer, ids: Int32Array): Generator<PageKey> {
  let parent = root
  for (let at = 0; at + PAGE <= ids.length; at += PAGE) {
    const page = ids.subarray(at, at + PAGE)
    const key = createHash('sha256').update(parent).update(bytesOf(page)).digest()
    yield { key, parent, ids: page }
    parent = key
  }
}

export function bytesOf({ buffer, byteOffset, byteLength }: Int32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength)
}
