/** The tiny model families beside the project: graphs of every dialect, each with the ids it must give. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { hasShared, SHARED } from './models.ts'

export interface GoldenPrompt {
  readonly name: string
  readonly ids: Int32Array
  /** The greedy continuation. */
  readonly newIds: readonly number[]
  /** How many of them to demand: fewer where two logits nearly tie on the way. */
  readonly certain: number
}

export interface GoldenFile {
  readonly family: string
  /** Below the family: `gqa/onnx/model_q4.onnx`. */
  readonly file: string
  readonly path: string
  /** Of config.json. */
  readonly folder: string
  readonly prompts: readonly GoldenPrompt[]
}

/** Ids demanded of a prompt whose path is not certain to the last bit. */
const AT_LEAST = 8
/** A smaller gap between the two best logits may turn over on another machine. */
const GAP = 0.02

const ROOT = join(SHARED, 'models')
export const hasGoldenModels = hasShared && existsSync(ROOT)
/** In titles of what is skipped without them. */
export const NEEDS_DATA = '(needs ../shared/data)'

/** Every file that is there; none in a clone without the data. */
export function goldenFiles(): GoldenFile[] {
  if (!hasGoldenModels) return []
  const families = readdirSync(ROOT).filter((name) => existsSync(join(ROOT, name, 'goldens.json')))
  return families.flatMap((family) => {
    const goldens = JSON.parse(readFileSync(join(ROOT, family, 'goldens.json'), 'utf8')) as Goldens
    const present = Object.entries(goldens.files).filter(([file]) => existsSync(join(ROOT, family, file)))
    return present.map(([file, golden]) => {
      const path = join(ROOT, family, file)
      return { family, file, path, folder: join(path, '../..'), prompts: promptsOf(goldens, file, golden) }
    })
  })
}

interface Goldens {
  readonly prompts: readonly { name: string; ids: number[] }[]
  readonly files: Readonly<Record<string, GoldenOfFile>>
}

interface GoldenOfFile {
  readonly prompts: Readonly<Record<string, { new_ids: number[]; min_gap: number } | undefined>>
  /** By kind of change: the prompts whose ids it changes, or why it could not be tried. */
  readonly unstable: Readonly<Record<string, string[] | string>>
}

function promptsOf(goldens: Goldens, file: string, golden: GoldenOfFile): GoldenPrompt[] {
  const unstable = new Set(Object.values(golden.unstable).filter(Array.isArray).flat())
  const exact = !/fp16|f16|quantized|q4|kvint/.test(file)
  return goldens.prompts.flatMap(({ name, ids }) => {
    const told = golden.prompts[name]
    if (told === undefined) return []
    const sure = exact || (told.min_gap > GAP && !unstable.has(name))
    const certain = sure ? told.new_ids.length : Math.min(AT_LEAST, told.new_ids.length)
    return [{ name, ids: Int32Array.from(ids), newIds: told.new_ids, certain }]
  })
}
