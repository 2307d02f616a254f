/**
 * The protobuf wire format, as much as patching a graph needs: fields are walked, bytes that stay are kept as they
 * are, and only what changes is written anew. Encoding: https://protobuf.dev/programming-guides/encoding/
 */
import { SpoutError } from '../errors.ts'

const VARINT = 0
const FIXED64 = 1
export const BYTES = 2
export const FIXED32 = 5

/** One field of a message: where its value lies, and the value itself if it is a varint. */
export interface Field {
  readonly number: number
  readonly wireType: number
  /** First byte of the tag. */
  readonly start: number
  /** First byte of the value (after the length, for BYTES). */
  readonly valueStart: number
  /** One past the last byte. */
  readonly end: number
  readonly varint: bigint
}

/** Bytes that can be read at any offset: a buffer, or a window over a file. */
export interface ByteSource {
  readonly size: number
  /** What lies in memory now, and the offset of its first byte. */
  readonly window: Uint8Array
  readonly base: number
  /** Brings `start` to `end`, as far as the source goes, into the window. */
  load(start: number, end: number): void
  /** Bytes `start` to `end`; the view is valid until the next call. */
  read(start: number, end: number): Uint8Array
}

export function bytesSource(bytes: Uint8Array): ByteSource {
  return {
    size: bytes.length,
    window: bytes,
    base: 0,
    load: () => undefined,
    read: (start, end) => bytes.subarray(start, end),
  }
}

/** The fields of the message that lies at `start` to `end`. @throws SpoutError `config` when it is cut short. */
export function* fieldsOf(source: ByteSource, start = 0, end = source.size): Generator<Field> {
  let position = start
  while (position < end) {
    const tag = readVarint(source, position, end)
    const number = Math.floor(tag / 8)
    const wireType = tag % 8
    let valueStart = varintEnd
    let fieldEnd: number
    let varint = 0n
    if (wireType === VARINT) {
      varint = readLongVarint(source, valueStart, end)
      fieldEnd = varintEnd
    } else if (wireType === BYTES) {
      const length = readVarint(source, valueStart, end)
      valueStart = varintEnd
      fieldEnd = valueStart + length
    } else if (wireType === FIXED64 || wireType === FIXED32) {
      fieldEnd = valueStart + (wireType === FIXED64 ? 8 : 4)
    } else {
      throw truncated()
    }
    if (!(fieldEnd <= end) || number === 0) throw truncated()
    yield { number, wireType, start: position, valueStart, end: fieldEnd, varint }
    position = fieldEnd
  }
}

const VARINT_BYTES = 10
/** One past the last byte of the varint read last: a second result, without an object for it. */
let varintEnd = 0

/** A tag or a length: an unsigned number that a double holds exactly. */
function readVarint(source: ByteSource, start: number, end: number): number {
  source.load(start, Math.min(start + VARINT_BYTES, end))
  const { window, base } = source
  let value = 0
  let factor = 1
  for (let i = start; i < end && factor < 2 ** 49; i++) {
    const byte = window[i - base]!
    value += (byte & 0x7f) * factor
    if (byte < 0x80) {
      varintEnd = i + 1
      return value
    }
    factor *= 128
  }
  throw truncated()
}

/** A value: 64 bits, negative ones in ten bytes. */
function readLongVarint(source: ByteSource, start: number, end: number): bigint {
  source.load(start, Math.min(start + VARINT_BYTES, end))
  const { window, base } = source
  let value = 0n
  for (let i = start; i < Math.min(start + VARINT_BYTES, end); i++) {
    const byte = window[i - base]!
    value |= BigInt(byte & 0x7f) << BigInt(7 * (i - start))
    if (byte < 0x80) {
      varintEnd = i + 1
      return value
    }
  }
  throw truncated()
}

function truncated(): SpoutError {
  return new SpoutError('config', 'model graph: not a complete ONNX file', {
    hint: 'download the model again: the file is cut short or is something else',
  })
}

/** A varint as a signed 64-bit number, as protobuf's int64 has it. */
export function signed(varint: bigint): number {
  return Number(BigInt.asIntN(64, varint))
}

export function textOf(source: ByteSource, field: Field): string {
  const { buffer, byteOffset, length } = source.read(field.valueStart, field.end)
  return Buffer.from(buffer, byteOffset, length).toString('utf8')
}

/** The text in field `number` of a message, the last where there are several, as protobuf has it; '' when it has none. */
export function textField(source: ByteSource, message: Field, number: number): string {
  let found: Field | undefined
  for (const field of fieldsOf(source, message.valueStart, message.end)) {
    if (field.number === number) found = field
  }
  return found === undefined ? '' : textOf(source, found)
}

/** A repeated int64 or int32: one element, or many packed into one field. */
export function integersOf(source: ByteSource, field: Field): number[] {
  if (field.wireType === VARINT) return [signed(field.varint)]
  const numbers: number[] = []
  if (field.wireType !== BYTES) return numbers
  for (let at = field.valueStart; at < field.end; ) {
    numbers.push(signed(readLongVarint(source, at, field.end)))
    at = varintEnd
  }
  return numbers
}

/** Bytes of one field, copied out of the source. */
export function copyOf(source: ByteSource, field: Field): Uint8Array {
  return source.read(field.start, field.end).slice()
}

export function varintField(number: number, value: number | bigint): Uint8Array {
  return concat([varintBytes((BigInt(number) << 3n) | BigInt(VARINT)), varintBytes(BigInt(value))])
}

export function bytesField(number: number, value: Uint8Array | string | readonly Uint8Array[]): Uint8Array {
  const body =
    typeof value === 'string' ? Buffer.from(value) : value instanceof Uint8Array ? value : concat(value)
  return concat([varintBytes((BigInt(number) << 3n) | BigInt(BYTES)), varintBytes(BigInt(body.length)), body])
}

function varintBytes(value: bigint): Uint8Array {
  let rest = BigInt.asUintN(64, value)
  const bytes: number[] = []
  while (rest >= 0x80n) {
    bytes.push(Number(rest & 0x7fn) | 0x80)
    rest >>= 7n
  }
  bytes.push(Number(rest))
  return Uint8Array.from(bytes)
}

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(parts)
}
