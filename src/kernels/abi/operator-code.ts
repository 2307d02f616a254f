/**
 * Operators of ours, each as `struct OrtCustomOp` of the C API (onnxruntime_c_api.h, version 16): functions that tell about the operator, a
 * kernel without state, and the computation.
 */
import type { Isa } from '../isa.ts'
import { Assembler } from '../x64/assembler.ts'
import type { Label } from '../x64/code-buffer.ts'
import { at, RAX, RCX, RDI, RSI } from '../x64/registers.ts'
import type { KernelApi } from './kernel-calls.ts'

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

/** An operator, and how its code is written. */
export interface OperatorKind {
  readonly name: string
  /** Element types of its inputs and outputs, as ONNXTensorElementDataType. */
  readonly inputs: readonly number[]
  readonly outputs: readonly number[]
  /**
   * Writes `OrtStatus* (kernel, context)`, and what it needs.
   * @param message address of what to say when inputs have other shapes.
   */
  emitCompute(code: Assembler, api: KernelApi, message: bigint): Label
}

export interface OperatorCode {
  /** Machine code for all operators; runs wherever it is put. */
  readonly code: Uint8Array
  /** For each operator, where in the code each of its functions begins. */
  readonly entries: readonly ReadonlyMap<Field, number>[]
}

/** Texts that the operators name, by their addresses; they must stay where they are. */
interface OperatorTexts {
  readonly names: readonly bigint[]
  readonly wrongShape: bigint
}

export function makeOperatorCode(
  kinds: readonly OperatorKind[],
  api: KernelApi,
  { isa, ...texts }: OperatorTexts & { readonly isa: Isa },
): OperatorCode {
  const code = new Assembler(isa)
  const shared = emitShared(code)
  const entries = kinds.map((kind, i) => {
    const told = emitFacts(code, kind, texts.names[i]!)
    const compute = kind.emitCompute(code, api, texts.wrongShape)
    return new Map<Field, number>([...shared, ...told, ['KernelComputeV2', compute.position!]])
  })
  return { code: code.finish(), entries }
}

type Entries = Map<Field, number>

function define(code: Assembler, entries: Entries, fields: readonly Field[], emit: () => void): void {
  for (const field of fields) entries.set(field, code.length)
  emit()
  code.ret()
}

/** What an operator says of itself. */
function emitFacts(code: Assembler, { inputs, outputs }: OperatorKind, name: bigint): Entries {
  const entries: Entries = new Map()
  define(code, entries, ['GetName'], () => code.movNumber(RAX, name))
  const values = { Input: inputs, Output: outputs } as const
  for (const way of ['Input', 'Output'] as const) {
    define(code, entries, [`Get${way}TypeCount`], () => code.movNumber(RAX, values[way].length))
    define(code, entries, [`Get${way}Type`], () => emitTypeOf(code, values[way]))
  }
  return entries
}

/** The type of value rsi. */
function emitTypeOf(code: Assembler, types: readonly number[]): void {
  const end = code.label()
  for (const [i, type] of types.entries()) {
    code.movNumber(RAX, type)
    code.cmpNumber(RSI, i)
    code.jumpIf('equal', end)
  }
  code.bind(end)
}

/** What all operators say alike. */
function emitShared(code: Assembler): Entries {
  const entries: Entries = new Map()
  // No other provider than the CPU's; required; in plain memory.
  const fields: Field[] = [
    'GetExecutionProviderType',
    'GetInputCharacteristic',
    'GetOutputCharacteristic',
    'GetInputMemoryType',
  ]
  define(code, entries, fields, () => code.movNumber(RAX, 0))
  define(code, entries, ['KernelDestroy'], () => undefined)
  // The kernel is anything but nothing: the operator itself.
  define(code, entries, ['CreateKernelV2'], () => {
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
