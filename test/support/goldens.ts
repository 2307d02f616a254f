import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { GOLDEN } from './models.ts'

/** What a reference gave for one graph of a model. */
export interface GoldenRun {
  /** Smallest distance of the two best logits along the way. */
  readonly gap: number
  readonly ids: readonly number[]
  readonly text: string
  /** Steps at which the two best are so near that int8 matmuls of another processor may decide otherwise. */
  readonly near?: readonly number[]
}

export interface GoldenPrompt {
  readonly name: string
  readonly text: string
  readonly messages?: readonly { readonly role: string; readonly content: string }[]
  readonly ids: readonly number[]
  readonly fp32: GoldenRun
  readonly q4: GoldenRun
}

/** Made by fixtures/make with Python's transformers (fp32) and a plain loop over onnxruntime (q4). */
export interface Golden {
  readonly new_tokens: number
  readonly left_out: number
  readonly stop_ids?: readonly number[]
  readonly prompts: readonly GoldenPrompt[]
}

export function readGolden(name: string): Golden {
  return JSON.parse(readFileSync(join(GOLDEN, name), 'utf8'))
}

/** Ids up to the first step at which another processor may rightly go on differently. */
export function certainIds(
  got: readonly number[],
  { ids, near = [] }: GoldenRun,
): [readonly number[], readonly number[]] {
  const differs = ids.findIndex((id, step) => got[step] !== id)
  return near.includes(differs) ? [got.slice(0, differs), ids.slice(0, differs)] : [got, ids]
}
