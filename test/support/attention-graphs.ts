/** Graphs of one attention, and runs of them over rows that come bit by bit. */

import { KV, PAGES, PARTS } from '../../src/graph-passes/own-attention.ts'
import { SEGMENT } from '../../src/kernels/attention/attention-shape.ts'
import type { Isa } from '../../src/kernels/isa.ts'
import type { OwnOperators } from '../../src/kernels/operators.ts'
import { encodeGraph, type Graph, readGraphFile } from '../../src/onnx-file/graph-file.ts'
import { openCApiRuntime } from '../../src/onnx-runtime/c-session.ts'
import type { Session } from '../../src/onnx-runtime/runtime.ts'
import { AttentionPages, type RunPart } from './attention-pages.ts'
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
  return widths.map((width) => {
    const rows = new Float32Array(count * width)
    for (let i = 0; i < rows.length; i++) rows[i] = 2 * next()
    return rows
  })
}

export interface AttentionRun {
  readonly graph: Graph
  /** Of each input. */
  readonly rows: readonly Float32Array[]
  readonly widths: readonly number[]
  /** How many rows come in each run. */
  readonly chunks: readonly number[]
  readonly kvHeads: number
  readonly headDim: number
  readonly threads?: number
}

/** What comes out of all rows, run by run: by ONNX Runtime's own kernel. */
export async function attend(run: AttentionRun): Promise<Float32Array> {
  const { graph, rows, widths, chunks, kvHeads, headDim, threads = 1 } = run
  const source = { bytes: encodeGraph(graph), weightsFolder: graph.weightsFolder }
  const session = await openCApiRuntime().createSession(source, { threads, spinning: false })
  const states = ['key', 'value'].map((name) => {
    const tensor = session.allocate('float32', [1, kvHeads, 1024, headDim])
    // What was there before is not to matter.
    ;(tensor.data as Float32Array).fill(Number.NaN)
    session.bindInput(`past.${name}`, tensor)
    session.bindOutput(`present.${name}`, tensor)
    return tensor
  })
  const found: Float32Array[] = []
  try {
    let past = 0
    for (const count of chunks) {
      bindRows(session, widths, rowsFrom(rows, widths, { first: past, count }))
      past += count
      session.bindData('lengths', 'int32', stable(Int32Array.of(past - 1)), [1, 1])
      session.bindData('total', 'int32', stable(Int32Array.of(past)), [])
      found.push(await runOnce(session))
    }
  } finally {
    for (const tensor of states) tensor.dispose()
    await session.dispose()
  }
  return joined(found)
}

/** Rows of several sequences in each run of an attention of ours. */
export interface RaggedRun {
  readonly graph: Graph
  readonly operators: OwnOperators | undefined
  /** Of each sequence, of each input. */
  readonly sequences: readonly (readonly Float32Array[])[]
  readonly widths: readonly number[]
  readonly runs: readonly (readonly RunPart[])[]
  readonly kvHeads: number
  readonly headDim: number
  readonly threads?: number
  readonly isa?: Isa
  readonly pages?: AttentionPages
  /** Where the layer begins in a page, in place of what the graph says: by the interpreter only. */
  readonly layer?: bigint
}

/** What comes out of the rows of each sequence, on the processor. */
export async function attendRagged(run: RaggedRun): Promise<Float32Array[]> {
  const { graph, operators, widths, runs, threads = 1, isa } = run
  const own = operators && { operators, weights: [] }
  const source = { bytes: encodeGraph(graph), weightsFolder: graph.weightsFolder, own }
  const session = await openCApiRuntime().createSession(source, { threads, spinning: false, isa })
  const pages = run.pages ?? pagesFor(run)
  const found = new RowsBySequence(run.sequences.length)
  try {
    session.bindData(KV, 'uint8', pages.bytes, pages.dims)
    for (const parts of runs) {
      bindRows(session, widths, raggedRows(run, pages, parts))
      const tables = pages.append(parts)
      session.bindData(PARTS, 'int32', stable(tables.parts), [tables.parts.length / 2, 2])
      session.bindData(PAGES, 'int32', stable(tables.pages), [tables.pages.length])
      found.add(parts, await runOnce(session))
    }
  } finally {
    await session.dispose()
  }
  return found.all()
}

/** As many as the runs need, and some that stay empty. */
export function pagesFor({ kvHeads, headDim, runs, sequences }: RaggedRun): AttentionPages {
  const rows = runs.flat().reduce((sum, { count }) => sum + count, 0)
  return new AttentionPages({ kvHeads, headDim, most: Math.ceil(rows / SEGMENT) + sequences.length + 2 })
}

/** Of each input, the rows of a run: those of one part after those of the other. */
export function raggedRows(
  { sequences, widths }: RaggedRun,
  pages: AttentionPages,
  parts: readonly RunPart[],
): Float32Array[] {
  const each = parts.map(({ sequence, count }) => {
    return rowsFrom(sequences[sequence]!, widths, { first: pages.lengthOf(sequence), count })
  })
  return widths.map((_, i) => joined(each.map((rows) => rows[i]!)))
}

function rowsFrom(
  rows: readonly Float32Array[],
  widths: readonly number[],
  { first, count }: { first: number; count: number },
): Float32Array[] {
  return rows.map((all, i) => all.subarray(first * widths[i]!, (first + count) * widths[i]!))
}

/** Rows as they come, kept for each sequence. */
export class RowsBySequence {
  readonly #found: Float32Array[][]

  constructor(count: number) {
    this.#found = Array.from({ length: count }, () => [])
  }

  add(parts: readonly RunPart[], rows: Float32Array): void {
    const count = parts.reduce((sum, part) => sum + part.count, 0)
    const width = count === 0 ? 0 : rows.length / count
    let at = 0
    for (const part of parts) {
      this.#found[part.sequence]!.push(rows.slice(at, at + part.count * width))
      at += part.count * width
    }
  }

  all(): Float32Array[] {
    return this.#found.map(joined)
  }
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const whole = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

async function runOnce(session: Session): Promise<Float32Array> {
  session.bindOutput('output')
  await session.run()
  const output = session.takeOutput('output')
  const numbers = (output.data as Float32Array).slice()
  output.dispose()
  return numbers
}

function bindRows(session: Session, widths: readonly number[], rows: readonly Float32Array[]): void {
  const names = session.inputs.map(({ name }) => name)
  const wanted = names.filter((name) => ['rows', 'query', 'key', 'value'].includes(name))
  for (const [i, name] of wanted.entries()) {
    session.bindData(name, 'float32', stable(rows[i]!), [1, rows[i]!.length / widths[i]!, widths[i]!])
  }
}
