import type { Session, Tensor, TensorData } from '../../../onnx-runtime/runtime.ts'

/**
 * Those states of one cache that are bound alike. The cache calls `bind`, the session runs, the cache calls `commit`;
 * when the run fails, `commit` is not called.
 */
export interface StateGroup {
  /** True when `bind` may be given fewer tokens than were committed: the states of the first ones are still there. */
  readonly canTrim: boolean
  /**
   * Binds pasts and presents for a run of `count` tokens after `held`.
   * @param rebind the session's binding shows another cache's states
   */
  bind(held: number, count: number, rebind: boolean): void
  /** The run succeeded: `held` tokens in all. */
  commit(held: number): void
  /** Back to the start of the text. */
  clear(): void
  /** Keeps a copy for `restore`, where the states cannot go back by themselves. */
  mark(): void
  restore(): void
  dispose(): void
}

/** How rows lie in memory: `outer` stretches, each of as many rows as the axis has, each row of `rowSize` numbers. */
interface RowLayout {
  readonly outer: number
  readonly rowSize: number
}

export function rowLayout(dims: readonly number[], axis: number): RowLayout {
  const product = (sizes: readonly number[]): number => sizes.reduce((a, b) => a * b, 1)
  return { outer: product(dims.slice(0, axis)), rowSize: product(dims.slice(axis + 1)) }
}

/** The shape with `rows` at `axis`. */
export function withRows(dims: readonly number[], axis: number, rows: number): number[] {
  return dims.with(axis, rows)
}

/** Copies the first `count` rows of every stretch between buffers of different capacity. */
export function copyRows(
  from: { data: TensorData; capacity: number },
  to: { data: TensorData; capacity: number },
  { outer, rowSize, count }: RowLayout & { count: number },
): void {
  for (let i = 0; i < outer; i++) {
    const start = i * from.capacity * rowSize
    const part = from.data.subarray(start, start + count * rowSize) as Float32Array
    ;(to.data as Float32Array).set(part, i * to.capacity * rowSize)
  }
}

export function zero(session: Session, tensor: Tensor): void {
  const data = session.read(tensor)
  new Uint8Array(data.buffer, data.byteOffset, data.byteLength).fill(0)
  session.write(tensor, data)
}
