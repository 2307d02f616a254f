/** The history of the hot path, each part of it alone and all of it together. */
import type { BeforeArm, BeforeModel, OpenBefore, RequestParts } from './before-arm.ts'
import { copiedTokenizer } from './copied-tokenizer.ts'
import { eosByString, eosByVocabulary } from './eos-lookup.ts'
import { logLines } from './log-lines.ts'
import { previewText } from './preview-text.ts'
import { setPenalty } from './set-penalty.ts'
import { slowerStep } from './slower-step.ts'
import { twoDecodes } from './two-decodes.ts'

const PARTS: readonly BeforeArm[] = [
  logLines,
  copiedTokenizer,
  eosByString,
  eosByVocabulary,
  previewText,
  twoDecodes,
  setPenalty,
  slowerStep,
]

/** The four repairs and the two that followed, as `all` has them: what decodes stands outermost. */
const TOGETHER: readonly BeforeArm[] = [
  setPenalty,
  copiedTokenizer,
  eosByString,
  logLines,
  previewText,
  twoDecodes,
]

const together: BeforeArm = {
  name: 'all',
  standsFor: `all of these together: ${TOGETHER.map(({ name }) => name).join(', ')}`,
  penalty: true,
  open: (model) => openAll(TOGETHER, model),
}

export const BEFORE_ARMS: readonly BeforeArm[] = [...PARTS, together]

/** @param names of `BEFORE_ARMS`. */
export function openBefore(names: readonly string[], model: BeforeModel): Promise<OpenBefore> {
  return openAll(
    BEFORE_ARMS.filter(({ name }) => names.includes(name)),
    model,
  )
}

async function openAll(arms: readonly BeforeArm[], model: BeforeModel): Promise<OpenBefore> {
  const open: OpenBefore[] = []
  for (const arm of arms) open.push(await arm.open(model))
  return {
    alter: (parts: RequestParts) => open.reduce((altered, { alter }) => alter(altered), parts),
    close() {
      for (const before of open) before.close?.()
    },
  }
}
