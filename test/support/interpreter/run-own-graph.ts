/** A graph of our own operators, run by the interpreter: its weights are laid out by the interpreted code as well. */
import { closeSync, openSync, readSync } from 'node:fs'
import type { OwnGraph } from '../../../src/graph-passes/own-graph.ts'
import type { Isa } from '../../../src/kernels/isa.ts'
import type { PackedWeight } from '../../../src/kernels/kernel-parts.ts'
import {
  PANEL_COLUMNS,
  packedBytes,
  packedDims,
  panelBytes,
} from '../../../src/kernels/matmul/matmul-shape.ts'
import { emitPack } from '../../../src/kernels/matmul/pack-code.ts'
import { packZeros } from '../../../src/kernels/matmul/pack-zeros.ts'
import { kindsOf } from '../../../src/kernels/operators.ts'
import { OWN_DOMAIN } from '../../../src/onnx-file/domains.ts'
import type { Graph, GraphNode } from '../../../src/onnx-file/graph.ts'
import { type BytePlace, placeOf, tensorSlices } from '../../../src/onnx-file/tensor-bytes.ts'
import type { Feed } from '../run-graph.ts'
import { Machine } from './machine.ts'
import { InterpretedKernel, type KernelTensor } from './ort.ts'

/** The numbers of each output, as `runGraph` gives them. */
export function interpretGraph(
  { graph, own }: OwnGraph,
  feeds: Readonly<Record<string, Feed>>,
  isa: Isa,
): Record<string, number[]> {
  const values = new Map<string, KernelTensor>()
  for (const [name, { dims, data }] of Object.entries(feeds)) {
    values.set(name, { dims, bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) })
  }
  for (const weight of own!.weights) values.set(weight.name, packInterpreted(weight, isa))
  for (const [name, { dims }] of graph.initializers) {
    const place = placeOf(graph, name)
    if (place !== undefined) values.set(name, { dims, bytes: bytesOf(place) })
  }
  const kernels = new Map(
    kindsOf(own!.operators).map((kind) => [kind.name, new InterpretedKernel(kind, isa)]),
  )
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((name) => values.get(name)!)
    const kernel = node.domain === OWN_DOMAIN ? kernels.get(node.opType)! : undefined
    const outputs = kernel?.run(inputs) ?? plain(node, inputs, graph)
    for (const [i, name] of node.outputs.entries()) values.set(name, outputs[i]!)
  }
  return Object.fromEntries(graph.outputs.map((name) => [name, [...floatsOf(values.get(name)!)]]))
}

export function floatsOf({ bytes }: KernelTensor): Float32Array {
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
}

/** The few nodes that stand beside ours in tests. */
function plain({ opType, inputs: names, outputs }: GraphNode, inputs: readonly KernelTensor[], graph: Graph) {
  const [first, second] = inputs as [KernelTensor, KernelTensor]
  const made = (of: (x: number, i: number) => number): KernelTensor[] => [
    { ...first, bytes: bytesIn(floatsOf(first).map(of)) },
  ]
  switch (opType) {
    case 'Identity':
      return [first]
    case 'Relu':
      return made((x) => Math.max(0, x))
    case 'Sigmoid':
      return made((x) => 1 / (1 + Math.exp(-x)))
    case 'Mul': {
      const factors = floatsOf(second)
      return made((x, i) => x * factors[i]!)
    }
    case 'Add': {
      const numbers = floatsOf(second)
      return made((x, i) => x + numbers[i % numbers.length]!)
    }
    case 'Split': {
      const [bytes] = tensorSlices(graph, names[1]!, 8 * outputs.length)
      let end = 0
      return Array.from(new BigInt64Array(bytes!.slice().buffer), (size) => {
        end += Number(size)
        return columns(first, end - Number(size), end)
      })
    }
    default:
      throw new Error(`the interpreter has no ${opType}`)
  }
}

function columns(tensor: KernelTensor, from: number, to: number): KernelTensor {
  const width = tensor.dims.at(-1)!
  const kept = floatsOf(tensor).filter((_, i) => i % width >= from && i % width < to)
  return { dims: [...tensor.dims.slice(0, -1), to - from], bytes: bytesIn(kept) }
}

const bytesIn = ({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength)

/** The weights of a matmul as the code for it lays them out. */
export function packInterpreted({ shape, parts }: PackedWeight, isa: Isa): KernelTensor {
  const bytes = new Uint8Array(packedBytes(shape))
  let to = 0
  for (const part of parts) {
    const machine = new Machine(isa)
    const entry = emitPack(machine.assembler, { shape, scaleRows: part.scaleRows })
    const { memory } = machine
    const [codes, scales] = [part.codes, part.scales].map((place, i) => {
      return memory.region(['codes', 'scales'][i]!, bytesOf(place), { isWritable: false, offset: 4 })
    })
    const target = memory.region('packed', bytes)
    machine.run(entry, codes!.base, scales!.base, target.base + to, part.n / PANEL_COLUMNS)
    const { zeros: place, n, scaleRows } = part
    const zeros = place && bytesOf(place)
    if (shape.hasZeros) packZeros(shape, { zeros, n, scaleRows }, bytes.subarray(to))
    to += (shape.isSwiglu ? 1 : part.n / PANEL_COLUMNS) * panelBytes(shape)
  }
  return { dims: packedDims(shape), bytes }
}

/** A copy, which begins where any kind of number may. */
export function bytesOf(place: BytePlace): Uint8Array {
  if (place instanceof Uint8Array) return new Uint8Array(place)
  const bytes = new Uint8Array(place.length)
  const file = openSync(place.path, 'r')
  readSync(file, bytes, 0, place.length, place.offset)
  closeSync(file)
  return bytes
}
