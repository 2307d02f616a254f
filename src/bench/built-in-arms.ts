/** The arms that are here: the history of the hot path, whole engines, and a control. Each has what it is measured beside. */
import type { ArmSpec, ComparisonSpec, EngineSettings } from './arm.ts'
import type { BeforeArm } from './before/before-arm.ts'
import { BEFORE_ARMS } from './before/before-arms.ts'
import { PENALTY } from './before/set-penalty.ts'
import { slowerStep } from './before/slower-step.ts'

const NODE = 'node'
const TRANSFORMERS = 'transformers.js'
const ENGINES = [NODE, TRANSFORMERS]
const DRAFTS = 'drafts'
/** Of no history: what they are depends on the text, or is known. */
const ONLY_ASKED: readonly string[] = [DRAFTS, slowerStep.name]

export const BUILT_IN_ARMS: readonly string[] = [
  ...BEFORE_ARMS.filter((arm) => arm !== slowerStep).map(({ name }) => name),
  ...ENGINES,
  ...ONLY_ASKED,
]

/** The history and the engines. @param has whether the package of an engine is installed. */
export function defaultArms(has: { readonly transformers: boolean }): string[] {
  return BUILT_IN_ARMS.filter(
    (name) => !ONLY_ASKED.includes(name) && (name !== TRANSFORMERS || has.transformers),
  )
}

/** @param names of `BUILT_IN_ARMS`. */
export function builtInComparisons(names: readonly string[], settings: EngineSettings): ComparisonSpec[] {
  return names.map((name) => {
    const before = BEFORE_ARMS.find((arm) => arm.name === name)
    return before === undefined ? engineComparison(name, settings) : beforeComparison(before, settings)
  })
}

/** The product as it is, greedy. */
export function productArm(settings: EngineSettings, name = 'product'): ArmSpec {
  return { name, standsFor: 'the program as it is', engine: 'spout', settings, before: [], penalty: false }
}

function beforeComparison(
  { name, standsFor, penalty = false }: BeforeArm,
  settings: EngineSettings,
): ComparisonSpec {
  const product = productArm(settings)
  const { repetitionPenalty, repeatLastN } = PENALTY
  const standsForPenalty = `the program as it is, with a repetition penalty of ${repetitionPenalty} over ${repeatLastN} tokens`
  const beside = penalty
    ? { ...product, name: 'product+penalty', standsFor: standsForPenalty, penalty }
    : product
  return { arm: { ...beside, name, standsFor, before: [name] }, beside }
}

function engineComparison(name: string, settings: EngineSettings): ComparisonSpec {
  const beside = productArm(settings)
  if (name === NODE) {
    const standsFor = 'the same token loop over onnxruntime-node’s own binding, which copies every output'
    return { arm: { ...beside, name, standsFor, settings: { ...settings, runtime: 'node' } }, beside }
  }
  if (name === DRAFTS) {
    const standsFor = 'the same, with guesses of what is repeated run beside the next token'
    return { arm: { ...beside, name, standsFor, drafts: true }, beside }
  }
  return {
    arm: {
      ...beside,
      name,
      standsFor: 'transformers.js, generate() on the same files',
      engine: TRANSFORMERS,
    },
    beside,
  }
}

/** The first baseline beside itself. */
export function noiseComparison([first]: readonly ComparisonSpec[]): ComparisonSpec {
  const { beside } = first!
  const again = {
    ...beside,
    name: `${beside.name} again`,
    standsFor: `${beside.name} itself, for the noise of the run`,
  }
  return { arm: again, beside, noise: true }
}
