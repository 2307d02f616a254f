/** CRC-32 (ISO 3309), in machine code where Node has it, which is from 20.15 on. */
import * as zlib from 'node:zlib'

/** @param before the checksum of what came before. */
export type Checksum = (bytes: Uint8Array, before?: number) => number

export const checksum: Checksum = typeof zlib.crc32 === 'function' ? zlib.crc32 : slowChecksum

let table: Int32Array | undefined

export function slowChecksum(bytes: Uint8Array, before = 0): number {
  table ??= makeTable()
  let sum = ~before
  for (let i = 0; i < bytes.length; i++) sum = table[(sum ^ bytes[i]!) & 0xff]! ^ (sum >>> 8)
  return ~sum >>> 0
}

/** The checksum of each byte, backwards: the lowest bit is the highest power. */
function makeTable(): Int32Array {
  return Int32Array.from({ length: 256 }, (_, byte) => {
    let sum = byte
    for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? (sum >>> 1) ^ 0xedb88320 : sum >>> 1
    return sum
  })
}
