/**
 * How a prompt is cut into runs. Kernels take the rows of a run by tiles, and a row that is alone in its tile goes
 * through the kernel of decoding, which rounds differently; all other rows come out alike to the last bit, however the
 * prompt was cut. Measured with ONNX Runtime 1.30: 4-bit matmuls have tiles of 128 rows, GroupQueryAttention of twice
 * the head's size. So no piece is one longer than a multiple of what all tiles are multiples of.
 */
const TILE = 16

/**
 * Where the piece that begins at `start` ends, in a prompt of `length` ids.
 * @param most ids of a piece; `Infinity`: the prompt goes in whole
 */
export function pieceEnd(start: number, most: number, length: number): number {
  const rest = length - start
  if (most === Number.POSITIVE_INFINITY) return length
  const size = Math.min(most, rest)
  const left = rest - size
  const leavesOneAlone = isOneOver(size) || (left <= most && isOneOver(left))
  return start + (leavesOneAlone ? shorter(size) : size)
}

function isOneOver(size: number): boolean {
  return size % TILE === 1
}

/** Two fewer, so that neither this piece nor the last is one over; pieces so short that this is none are as they are. */
function shorter(size: number): number {
  return Math.max(size - 2, Math.min(size, 2))
}
