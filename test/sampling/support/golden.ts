/** Reading the goldens: packed bits, little-endian floats. */
import { readFileSync } from 'node:fs'

/** The ids whose bit is set; the first id is the most significant bit of the first byte. */
export function unpackBits(base64: string): number[] {
  const bytes = Buffer.from(base64, 'base64')
  const ids: number[] = []
  bytes.forEach((byte, at) => {
    for (let bit = 0; bit < 8; bit++) if (byte & (0x80 >> bit)) ids.push(at * 8 + bit)
  })
  return ids
}

export function unpackFloats(base64: string): Float32Array {
  const bytes = Buffer.from(base64, 'base64')
  return Float32Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readFloatLE(4 * i))
}

/** The rows of a two-dimensional float32 .npy file. */
export function readNpyRows(file: Buffer): Float32Array[] {
  const headerEnd = 10 + file.readUInt16LE(8)
  const header = file.toString('latin1', 10, headerEnd)
  const [, rows, width] = /'descr': '<f4'.*'fortran_order': False.*'shape': \((\d+), (\d+)\)/
    .exec(header)!
    .map(Number)
  const values = unpackFloats(file.subarray(headerEnd).toString('base64'))
  return Array.from({ length: rows! }, (_, row) => values.slice(row * width!, (row + 1) * width!))
}

export function readGolden<T>(name: string): T {
  return JSON.parse(
    readFileSync(new URL(`../../../fixtures/golden/sampling/${name}`, import.meta.url), 'utf8'),
  )
}
