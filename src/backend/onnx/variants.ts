/**
 * A model can be run in several ways. They are tried in order, the fastest first; the first that the model and the runtime
 * allow is taken, and why each one before it was refused is kept.
 */
import { SpoutError } from '../../errors.ts'
import type { Runs } from '../runs.ts'

/** What tells one way from another. */
export interface Traits {
  readonly device: Runs['device']
  /** The one that was written ahead of time; the model's own, computed in fp32 where its file has fp16; the model's own. */
  readonly graph: 'prepared' | 'fp32' | 'original'
  /** Who computes what kernels of ours could compute. */
  readonly kernels: 'own' | 'runtime'
  /** Of which rows the head makes logits. */
  readonly head: 'last row' | 'all rows'
}

/** One way to run a model. */
export interface Variant<T> extends Traits {
  /** @throws SpoutError `config` where the model cannot be run in this way. */
  open(): Promise<T>
}

/** A way that was tried in vain. */
export interface Refusal {
  readonly traits: Traits
  readonly why: string
}

interface Opened<T> {
  readonly opened: T
  readonly traits: Traits
  readonly refused: readonly Refusal[]
}

/** A refusal that every other way with the same trait would meet as well, so that these are not tried. */
export class TraitError extends SpoutError {
  readonly trait: keyof Traits

  constructor(trait: keyof Traits, { message, hint, cause }: Pick<SpoutError, 'message' | 'hint' | 'cause'>) {
    super('config', message, { ...(hint !== undefined && { hint }), cause })
    this.trait = trait
  }
}

/**
 * Opens the first variant that can be opened.
 * @throws the error of the last one when all are refused; at once what is no fault of the model: no memory, for one.
 */
export async function openFirst<T>(variants: Iterable<Variant<T>>): Promise<Opened<T>> {
  const refused: Refusal[] = []
  const ruledOut: Partial<Traits>[] = []
  let last: unknown
  for (const variant of variants) {
    const { device, graph, kernels, head } = variant
    const traits: Traits = { device, graph, kernels, head }
    if (ruledOut.some((part) => matches(traits, part))) continue
    try {
      return { opened: await variant.open(), traits, refused }
    } catch (error) {
      if (!(error instanceof SpoutError) || error.code !== 'config') throw error
      refused.push({ traits, why: error.message })
      if (error instanceof TraitError) ruledOut.push({ [error.trait]: traits[error.trait] })
      last = error
    }
  }
  throw last
}

function matches(traits: Traits, part: Partial<Traits>): boolean {
  return Object.entries(part).every(([name, value]) => traits[name as keyof Traits] === value)
}
