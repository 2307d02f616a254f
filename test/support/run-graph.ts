/** A small graph run once, over the C API. */

import type { OwnGraph } from '../../src/graph-passes/own-graph.ts'
import type { Isa } from '../../src/kernels/isa.ts'
import { openCApiRuntime } from '../../src/onnx-runtime/c-session.ts'
import type { ElementType, TensorData } from '../../src/onnx-runtime/runtime.ts'
import { stableMemory } from '../../src/system/stable-memory.ts'

export interface Feed {
  readonly type: ElementType
  readonly dims: readonly number[]
  readonly data: TensorData
}

export interface GraphBytes extends Partial<Omit<OwnGraph, 'graph'>> {
  readonly bytes: Uint8Array
  readonly weightsFolder?: string
}

/** The numbers of each output, in their order. */
export async function runGraph(
  { weightsFolder = '.', ...source }: GraphBytes,
  feeds: Readonly<Record<string, Feed>>,
  { threads = 1, isa }: { threads?: number; isa?: Isa } = {},
): Promise<Record<string, number[]>> {
  const session = await openCApiRuntime().createSession(
    { ...source, weightsFolder },
    { threads, spinning: false, isa },
  )
  for (const { name } of session.inputs) {
    const { type, dims, data } = feeds[name]!
    session.bindData(name, type, stable(data), dims)
  }
  for (const { name } of session.outputs) session.bindOutput(name)
  await session.run()
  const found = session.outputs.map(({ name }) => {
    const tensor = session.takeOutput(name)
    const numbers = Array.from(tensor.data as ArrayLike<number>)
    tensor.dispose()
    return [name, numbers] as const
  })
  await session.dispose()
  return Object.fromEntries(found)
}

/** A copy in memory that may be given to the runtime. */
export function stable<T extends TensorData>(data: T): T {
  const memory = stableMemory(data.byteLength)
  new Uint8Array(memory).set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
  return new (data.constructor as new (memory: ArrayBuffer) => T)(memory)
}
