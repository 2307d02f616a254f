/** Graphs of one attention, and runs of them over rows that come bit by bit. */

import { openCApiRuntime } from '../../src/backend/onnx/runtime/c-session.ts'
import type { Session } from '../../src/backend/onnx/runtime/runtime.ts'
import type { Isa } from '../../src/kernels/isa.ts'
import type { OwnOperators } from '../../src/kernels/operators.ts'
import { encodeGraph, type Graph, readGraphFile } from '../../src/onnx-file/graph-file.ts'
import { graphFile } from './graph-file.ts'
import { stable } from './run-graph.ts'
import { bytesOfField, FLOAT, initializer, intAttribute, model, node, value } from './tiny-graphs.ts'

export interface AttentionOptions {
  readonly heads: number
  readonly kvHeads: number
  readonly headDim: number
  readonly isPacked?: boolean
  readonly isRotated?: boolean
  readonly scale?: number
  /** Positions of the tables. */
  readonly positions?: number
  /** Attributes beside. */
  readonly ints?: Readonly<Record<string, number>>
  readonly floats?: Readonly<Record<string, number>>
  /** Inputs after the tables. */
  readonly more?: readonly string[]
  readonly pastType?: number
  /** Sizes of the tables; half of a head unless told otherwise. */
  readonly tableSize?: number
  readonly parts?: readonly Uint8Array[]
}

const INT32 = 6
const MOST_POSITIONS = 1024

/** Input `rows` of queries, keys and values side by side, or `query`, `key`, `value`. */
export function attentionGraph(options: AttentionOptions): Graph {
  const { heads, kvHeads, headDim, isPacked = true, isRotated = true, more = [], parts = [] } = options
  const { positions = MOST_POSITIONS, tableSize = headDim / 2, pastType = FLOAT } = options
  const widths = widthsOf(options)
  const names = isPacked ? ['rows', '', ''] : ['query', 'key', 'value']
  const ints = { num_heads: heads, kv_num_heads: kvHeads, do_rotary: isRotated ? 1 : 0, ...options.ints }
  const floats = { ...(options.scale === undefined ? {} : { scale: options.scale }), ...options.floats }
  const tables = isRotated ? ['cos', 'sin'] : more.length > 0 ? ['', ''] : []
  const past = (name: string): Uint8Array => {
    return value('input', name, [1, kvHeads, 'past', headDim], pastType)
  }
  const present = (name: string): Uint8Array => {
    return value('output', name, [1, kvHeads, 'total', headDim], pastType)
  }
  const inputs = [...names, 'past.key', 'past.value', 'lengths', 'total', ...tables, ...more]
  const graph = [
    node('GroupQueryAttention', inputs, ['output', 'present.key', 'present.value'], {
      domain: 'com.microsoft',
      attributes: [
        ...Object.entries(ints).map(([name, number]) => intAttribute(name, number)),
        ...Object.entries(floats).map(([name, number]) => floatAttribute(name, number)),
      ],
    }),
    ...names.flatMap((name, i) => (name === '' ? [] : [value('input', name, [1, 'count', widths[i]!])])),
    past('past.key'),
    past('past.value'),
    value('input', 'lengths', [1, 1], INT32),
    value('input', 'total', [], INT32),
    value('output', 'output', [1, 'count', heads * headDim]),
    present('present.key'),
    present('present.value'),
    ...(isRotated ? [table('cos', Math.cos), table('sin', Math.sin)] : []),
    ...parts,
  ]
  return readGraphFile(graphFile(model(graph)))

  function table(name: string, of: (angle: number) => number): Uint8Array {
    const values = Float32Array.from({ length: positions * tableSize }, (_, i) => {
      return of(Math.floor(i / tableSize) * 10_000 ** (-(i % tableSize) / tableSize))
    })
    return initializer(name, [positions, tableSize], values)
  }
}

/** Of the rows of each input. */
export function widthsOf({ heads, kvHeads, headDim, isPacked = true }: AttentionOptions): number[] {
  return isPacked ? [(heads + 2 * kvHeads) * headDim] : [heads, kvHeads, kvHeads].map((n) => n * headDim)
}

export function floatAttribute(name: string, number: number): Uint8Array {
  const value = new Uint8Array(5)
  value[0] = 2 * 8 + 5
  new DataView(value.buffer).setFloat32(1, number, true)
  return bytesOfField(5, [bytesOfField(1, name), value, FLOAT_TYPE])
}

/** AttributeProto.type: FLOAT. */
const FLOAT_TYPE = Uint8Array.of(0xa0, 1, 1)

/** Rows of `widths` for all tokens, of some numbers without a pattern. */
export function attentionRows(widths: readonly number[], count: number, seed = 1): Float32Array[] {
  let state = seed
  const next = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0
    return state / 2 ** 31
  }
  return widths.map((width) => Float32Array.from({ length: count * width }, () => 2 * next()))
}

export interface AttentionRun {
  readonly graph: Graph
  readonly operators?: OwnOperators | undefined
  /** Of each input. */
  readonly rows: readonly Float32Array[]
  readonly widths: readonly number[]
  /** How many rows come in each run. */
  readonly chunks: readonly number[]
  readonly kvHeads: number
  readonly headDim: number
  readonly capacity?: number
  readonly threads?: number
  readonly isa?: Isa
}

/** What comes out of all rows, run by run. */
export async function attend(run: AttentionRun): Promise<Float32Array> {
  const { graph, operators, chunks, kvHeads, headDim, capacity = 1024, threads = 1, isa } = run
  const own = operators && { operators, weights: [] }
  const source = { bytes: encodeGraph(graph), weightsFolder: graph.weightsFolder, own }
  const session = await openCApiRuntime().createSession(source, { threads, spinning: false, isa })
  const states = ['key', 'value'].map((name) => {
    const tensor = session.allocate('float32', [1, kvHeads, capacity, headDim])
    // What was there before is not to matter.
    ;(tensor.data as Float32Array).fill(Number.NaN)
    session.bindInput(`past.${name}`, tensor)
    session.bindOutput(`present.${name}`, tensor)
    return tensor
  })
  const found: number[] = []
  try {
    let past = 0
    for (const count of chunks) {
      bindRows(session, run, { past, count })
      session.bindOutput('output')
      await session.run()
      const output = session.takeOutput('output')
      for (const number of output.data as Float32Array) found.push(number)
      output.dispose()
      past += count
    }
  } finally {
    for (const tensor of states) tensor.dispose()
    await session.dispose()
  }
  return Float32Array.from(found)
}

function bindRows(
  session: Session,
  { graph, rows, widths }: AttentionRun,
  { past, count }: { past: number; count: number },
): void {
  const names = graph.inputs.filter((name) => ['rows', 'query', 'key', 'value'].includes(name))
  for (const [i, name] of names.entries()) {
    const width = widths[i]!
    const part = stable(rows[i]!.subarray(past * width, (past + count) * width))
    session.bindData(name, 'float32', part, [1, count, width])
  }
  const total = past + count
  session.bindData('lengths', 'int32', stable(Int32Array.of(total - 1)), [1, 1])
  if (session.inputs.some(({ name }) => name === 'total')) {
    session.bindData('total', 'int32', stable(Int32Array.of(total)), [])
  }
}
