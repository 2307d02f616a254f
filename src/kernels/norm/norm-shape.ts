/** RMSNorm that we compute ourselves, with a residual added before where the graph has one. */
import { floatBits } from '../numerics/exp.ts'

export interface NormShape {
  /** Numbers of a row; a multiple of 16. */
  readonly n: number
  readonly epsilon: number
  /** A residual is added first, and the sum is a second output. */
  readonly hasResidual: boolean
}

/** Of a row: offsets into it are counted in 31 bits. */
const MOST_NUMBERS = 1 << 22

/** Whether the emitters can make such a kernel. */
export function isNormShape(value: unknown): value is NormShape {
  if (typeof value !== 'object' || value === null) return false
  const { n, epsilon, hasResidual } = value as Partial<Record<keyof NormShape, unknown>>
  const isSize =
    Number.isInteger(n) && (n as number) > 0 && (n as number) % 16 === 0 && (n as number) <= MOST_NUMBERS
  return isSize && Number.isFinite(epsilon) && (epsilon as number) >= 0 && typeof hasResidual === 'boolean'
}

/** Of the operator that computes this norm. */
export function normName({ n, epsilon, hasResidual }: NormShape): string {
  return `Norm${hasResidual ? '_residual' : ''}_${n}_${floatBits(epsilon).toString(16)}`
}
