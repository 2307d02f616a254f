/** Our own operators, made known to ONNX Runtime. What is made here stays until the process ends: sessions point to it. */
import koffi from 'koffi'
import {
  makeOperatorCode,
  type OperatorCode,
  type OperatorKind,
  operatorStruct,
} from '../kernels/abi/operator-code.ts'
import type { Isa } from '../kernels/isa.ts'
import { kindsOf, type OwnOperators } from '../kernels/operators.ts'
import { OWN_DOMAIN } from '../onnx-file/domains.ts'
import { executableMemory } from '../system/executable-memory.ts'
import { cString, type OrtLibrary } from './c-api.ts'

/** Everything the library was given the address of. */
const keptAlive: object[] = []
const domains = new Map<string, bigint>()

/**
 * Lets a session of these options use the operators.
 * @throws Error where machine code cannot be run.
 */
export function addOwnOperators(
  ort: OrtLibrary,
  options: bigint,
  { operators, isa }: { readonly operators: OwnOperators; readonly isa: Isa },
): void {
  const kinds = kindsOf(operators)
  const key = [isa, ...kinds.map(({ name }) => name)].join()
  let domain = domains.get(key)
  if (domain === undefined) {
    domain = makeDomain(ort, kinds, isa)
    domains.set(key, domain)
  }
  ort.call('AddCustomOpDomain', options, domain)
}

function makeDomain(ort: OrtLibrary, kinds: readonly OperatorKind[], isa: Isa): bigint {
  const texts = {
    isa,
    names: kinds.map(({ name }) => lastingText(name)),
    wrongShape: lastingText('an input of an operator of spout has another shape'),
  }
  const made = makeOperatorCode(kinds, kernelApi(ort), texts)
  const base = executableMemory(made.code)
  const domain = ort.make('CreateCustomOpDomain', lastingName(OWN_DOMAIN))
  for (const struct of structsOf(made, base)) ort.call('CustomOpDomain_Add', domain, struct)
  return domain
}

function structsOf({ entries }: OperatorCode, base: bigint): BigUint64Array[] {
  const structs = entries.map((each) => operatorStruct(each, base))
  keptAlive.push(structs)
  return structs
}

function lastingName(text: string): Uint8Array {
  const bytes = cString(text)
  keptAlive.push(bytes)
  return bytes
}

function lastingText(text: string): bigint {
  return koffi.address(lastingName(text))
}

function kernelApi(ort: OrtLibrary) {
  return {
    createStatus: ort.address('CreateStatus'),
    getInput: ort.address('KernelContext_GetInput'),
    getOutput: ort.address('KernelContext_GetOutput'),
    getData: ort.address('GetTensorMutableData'),
    getShape: ort.address('GetTensorElementTypeAndShapeDataReference'),
    parallelFor: ort.address('KernelContext_ParallelFor'),
  }
}
