/**
 * A product as `struct OrtCustomOp` of the C API (onnxruntime_c_api.h, version 16): functions that tell about the operator, a
 * kernel without state, and the computation.
 */
import { Assembler } from '../machine-code/assembler.ts'
import { at, RAX, RCX, RDI, RSI } from '../machine-code/registers.ts'
import { emitCompute, type KernelApi } from './compute-code.ts'
import type { ProductShape } from './product-shape.ts'

/** Fields of the struct, in its order; those that are not filled in are for what we have not. */
const FIELDS = [
  'version',
  'CreateKernel',
  'GetName',
  'GetExecutionProviderType',
  'GetInputType',
  'GetInputTypeCount',
  'GetOutputType',
  'GetOutputTypeCount',
  'KernelCompute',
  'KernelDestroy',
  'GetInputCharacteristic',
  'GetOutputCharacteristic',
  'GetInputMemoryType',
  'GetVariadicInputMinArity',
  'GetVariadicInputHomogeneity',
  'GetVariadicOutputMinArity',
  'GetVariadicOutputHomogeneity',
  'CreateKernelV2',
  'KernelComputeV2',
  'InferOutputShapeFn',
  'GetStartVersion',
  'GetEndVersion',
  'GetMayInplace',
  'ReleaseMayInplace',
  'GetAliasMap',
  'ReleaseAliasMap',
] as const
type Field = (typeof FIELDS)[number]

/** Of the struct: the first with computations that return a status. */
const VERSION = 16n
const VALUES = 2

export interface OperatorCode {
  /** Machine code for all operators; runs wherever it is put. */
  readonly code: Uint8Array
  /** For each operator, where in the code each of its functions begins. */
  readonly entries: readonly ReadonlyMap<Field, number>[]
}

/** Texts that the operators name, by their addresses; they must stay where they are. */
export interface OperatorTexts {
  readonly names: readonly bigint[]
  readonly wrongShape: bigint
}

export function makeOperatorCode(
  shapes: readonly ProductShape[],
  api: KernelApi,
  texts: OperatorTexts,
): OperatorCode {
  const code = new Assembler()
  const shared = emitShared(code)
  const entries = shapes.map((shape, i) => {
    const name = code.length
    code.movNumber(RAX, texts.names[i]!)
    code.ret()
    const compute = emitCompute(code, shape, api, texts.wrongShape)
    return new Map<Field, number>([...shared, ['GetName', name], ['KernelComputeV2', compute.position!]])
  })
  return { code: code.finish(), entries }
}

/** What all operators say alike. */
function emitShared(code: Assembler): Map<Field, number> {
  const entries = new Map<Field, number>()
  const define = (fields: readonly Field[], emit: () => void): void => {
    for (const field of fields) entries.set(field, code.length)
    emit()
    code.ret()
  }
  const returns = (value: number) => () => code.movNumber(RAX, value)
  define(['GetInputTypeCount', 'GetOutputTypeCount'], returns(VALUES))
  // For the second argument 0, fp32 (1); for 1, bytes (2).
  define(['GetInputType', 'GetOutputType'], () => code.lea(RAX, at(RSI, 1)))
  // No other provider than the CPU's; required; in plain memory.
  define([
    'GetExecutionProviderType',
    'GetInputCharacteristic',
    'GetOutputCharacteristic',
    'GetInputMemoryType',
  ], returns(0))
  define(['KernelDestroy'], () => undefined)
  // The kernel is anything but nothing: the operator itself.
  define(['CreateKernelV2'], () => {
    code.store(at(RCX), RDI)
    code.movNumber(RAX, 0)
  })
  return entries
}

/** The struct of an operator whose code begins at `base`. */
export function operatorStruct(entries: ReadonlyMap<Field, number>, base: bigint): BigUint64Array {
  const struct = new BigUint64Array(FIELDS.length)
  struct[0] = VERSION
  for (const [i, field] of FIELDS.entries()) {
    const entry = entries.get(field)
    if (entry !== undefined) struct[i] = base + BigInt(entry)
  }
  return struct
}
