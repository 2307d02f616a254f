/** The weights of our own matmuls, laid out in memory of their own by threads of the pool, from the files they lie in. */
import { closeSync, fstatSync, openSync } from 'node:fs'
import { basename } from 'node:path'
import koffi from 'koffi'
import { SpoutError } from '../errors.ts'
import type { PackedPart, PackedWeight } from '../kernels/kernel-parts.ts'
import {
  type MatmulShape,
  operatorName,
  PANEL_COLUMNS,
  packedBytes,
  packedDims,
  panelBytes,
  turnPanels,
} from '../kernels/matmul/matmul-shape.ts'
import { emitPack, type PackSource } from '../kernels/matmul/pack-code.ts'
import { packZeros } from '../kernels/matmul/pack-zeros.ts'
import { Assembler } from '../kernels/x64/assembler.ts'
import type { BytePlace } from '../onnx-file/tensor-bytes.ts'
import { executableMemory } from '../system/executable-memory.ts'
import { type Mapped, mapFile, mapMemory, PROTECTION, protectMemory } from '../system/mapped-memory.ts'
import { pageFrom } from '../system/memory-pages.ts'
import type { NativeFunction } from './c-api.ts'

/** A tensor of bytes, in memory that lasts until `dispose`. */
interface MappedTensor {
  readonly name: string
  readonly dims: readonly number[]
  readonly bytes: number
  readonly address: bigint
}

export interface PackedWeights {
  readonly tensors: readonly MappedTensor[]
  /** Until then the tensors hold nothing. */
  readonly ready: Promise<void>
  dispose(): Promise<void>
}

/** @throws Error where there is no memory, or machine code cannot be run. */
export function packWeights(weights: readonly PackedWeight[]): PackedWeights {
  const starts: number[] = []
  let end = 0
  for (const { shape } of weights) {
    starts.push(end)
    end += pageFrom(packedBytes(shape))
  }
  const memory = mapMemory(end)
  const tensors = weights.map(({ name, shape }, i) => {
    const address = memory.address + BigInt(starts[i]!)
    return { name, dims: packedDims(shape), bytes: packedBytes(shape), address }
  })
  const work = { isWanted: true }
  const ready = packAll(weights, tensors, work).then(() =>
    protectMemory(memory.address, end, PROTECTION.read),
  )
  // Met by whoever waits for it.
  ready.catch(() => undefined)
  return {
    tensors,
    ready,
    async dispose() {
      work.isWanted = false
      await ready.catch(() => undefined)
      memory.release()
    },
  }
}

/** One after the other: the session is made meanwhile, by another thread. */
async function packAll(
  weights: readonly PackedWeight[],
  tensors: readonly MappedTensor[],
  work: { readonly isWanted: boolean },
): Promise<void> {
  for (const [i, weight] of weights.entries()) {
    let to = tensors[i]!.address
    const { shape } = weight
    for (const part of weight.parts) {
      if (!work.isWanted) return
      await packPart(weight, part, to)
      const panels = shape.isSwiglu ? 1 : part.n / PANEL_COLUMNS
      to += BigInt(panels * panelBytes(shape))
    }
  }
}

async function packPart({ shape }: PackedWeight, part: PackedPart, to: bigint): Promise<void> {
  const pack = packerOf({ shape, scaleRows: part.scaleRows })
  const opened: Mapped[] = []
  try {
    const [codes, scales] = [part.codes, part.scales].map((place) => {
      const memory = openPlace(place)
      opened.push(memory)
      return memory
    }) as [Mapped, Mapped]
    await new Promise<void>((resolve, reject) => {
      pack.async(codes.address, scales.address, to, part.n / PANEL_COLUMNS, (error: Error | null) =>
        error === null ? resolve() : reject(error),
      )
    })
    if (shape.hasZeros) {
      const zeros = part.zeros && openPlace(part.zeros)
      if (zeros !== undefined) opened.push(zeros)
      writeZeros(shape, part, { zeros, to })
    }
  } finally {
    for (const memory of opened) memory.release()
  }
}

function writeZeros(
  shape: MatmulShape,
  { n, scaleRows, zeros: place }: PackedPart,
  { zeros, to }: { readonly zeros: Mapped | undefined; readonly to: bigint },
): void {
  // From the first panel of the part to the end of its last one.
  const panels = (n / PANEL_COLUMNS - 1) * turnPanels(shape) + 1
  const target = new Uint8Array(koffi.view(to, panels * panelBytes(shape)))
  const source = zeros && new Uint8Array(koffi.view(zeros.address, place!.length))
  packZeros(shape, { zeros: source, n, scaleRows }, target)
}

function openPlace(place: BytePlace): Mapped {
  // Named in `release`, it is not collected before.
  if (place instanceof Uint8Array) return { address: koffi.address(place), release: () => place.length }
  const file = openSync(place.path, 'r')
  try {
    // To read beyond the end of a file that is mapped would end the process.
    if (fstatSync(file).size < place.offset + place.length) {
      throw new SpoutError('config', `model weights: ${basename(place.path)} ends too soon`, {
        hint: 'download the model again',
      })
    }
    return mapFile(file, place.offset, place.length)
  } finally {
    closeSync(file)
  }
}

const packers = new Map<string, NativeFunction>()

function packerOf(source: PackSource): NativeFunction {
  const key = `${operatorName(source.shape)} ${source.scaleRows}`
  let packer = packers.get(key)
  if (packer === undefined) {
    // Words are moved, which every set can do.
    const code = new Assembler('avx2')
    emitPack(code, source)
    packer = koffi.decode(executableMemory(code.finish()), PACKER) as NativeFunction
    packers.set(key, packer)
  }
  return packer
}

const PACKER = koffi.proto('void (uintptr_t, uintptr_t, uintptr_t, size_t)')
