/** A constraint for one answer: the structure it must satisfy, behind what the model thinks first. */

import { SpoutError } from '../errors.ts'
import { ThinkConstraint } from '../generation/think-constraint.ts'
import { markerIds, openedBlock, type ThinkMarkers } from '../generation/think-markers.ts'
import type { Constraint } from '../grammar/constraint.ts'
import { Structures } from '../grammar/structures.ts'
import { lineBreakIds, sliceVocabulary } from '../grammar/vocabulary/slices.ts'
import { tokenBytesOf } from '../grammar/vocabulary/vocabulary.ts'
import type { Tokenizer } from '../tokenizer/tokenizer.ts'
import type { EncodedPrompt } from './encode-prompt.ts'
import type { StructureRequest } from './structure-request.ts'

export interface OpenedStructure {
  readonly constraint: Constraint
  /** The answer is finished. */
  release(): void
}

interface OpenStructureParts {
  readonly structures: Structures
  /** Borrowed. */
  readonly tokenizer: Tokenizer
  readonly prompt: Pick<EncodedPrompt, 'rendered'>
  /** What ends the answer. */
  readonly stopIds: ReadonlySet<number>
  /** How the model marks what it thinks; `undefined` of one without a chat template. */
  readonly markers: readonly ThinkMarkers[] | undefined
  /** Ids that may be chosen. */
  readonly budget: number
}

/** @throws SpoutError `usage`, also where no answer fits, `data`, or `config` where the vocabulary cannot spell it. */
export function openStructure(
  { of, onLimit }: StructureRequest,
  { structures, tokenizer, prompt, stopIds, markers, budget }: OpenStructureParts,
): OpenedStructure {
  const closes = onLimit === 'close'
  const { constraint, release } = structures.open(of, stopIds, { closes })
  if (!constraint.mayFit(budget)) throw tooFew(budget, constraint.needed)
  const { rendered } = prompt
  if (rendered === undefined || markers === undefined) return { constraint, release }
  const opened = openedBlock(rendered, markers)
  const keep = markerIds(tokenizer, markers)
  const lineBreaks = lineBreakIds(structures.vocabulary, 2)
  const parts = { tokenizer, markers, keep, lineBreaks, opened, closes }
  return { constraint: new ThinkConstraint(constraint, parts), release }
}

function tooFew(budget: number, needed: number): SpoutError {
  return new SpoutError(
    'usage',
    `max-tokens: ${budget} are too few: an answer that satisfies the structure needs ${needed} tokens`,
    { hint: `-n ${needed} at least, or a longer context` },
  )
}

export function structuresOf(tokenizer: Tokenizer): Structures {
  return new Structures(() => sliceVocabulary(tokenBytesOf(tokenizer, [])))
}
