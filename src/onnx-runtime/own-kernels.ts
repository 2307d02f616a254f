/** How the sessions of a runtime get operators of ours, and the weights that these read. */
import { SpoutError } from '../errors.ts'
import { type Isa, kernelChoice } from '../kernels/isa.ts'
import type { PackedWeight } from '../kernels/kernel-parts.ts'
import type { OwnOperators } from '../kernels/operators.ts'
import type { OrtLibrary } from './c-api.ts'
import { type PackedWeights, packWeights } from './packed-weights.ts'
import { addOwnOperators } from './register-operators.ts'

export interface OwnKernels {
  /** Why there are none here; `undefined` where they run. */
  whyNone(): string | undefined
  /** Lets a session of these options use the operators. @param isa the best that runs here unless it is said. */
  addOperators(
    ort: OrtLibrary,
    options: bigint,
    own: { readonly operators: OwnOperators; readonly isa: Isa | undefined },
  ): void
  loadWeights(weights: readonly PackedWeight[]): PackedWeights
}

/** Machine code. */
export const NATIVE_KERNELS: OwnKernels = {
  whyNone() {
    const { isa, why } = kernelChoice()
    return isa === undefined ? why : undefined
  },
  addOperators(ort, options, { operators, isa = kernelChoice().isa }) {
    if (isa === undefined) throw new SpoutError('failed', 'kernels: none of ours runs here')
    addOwnOperators(ort, options, { operators, isa })
  },
  loadWeights: packWeights,
}
