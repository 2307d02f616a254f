/** The exported families of fixtures/golden/families: a compressed graph each, and what torch makes of it. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { loadModelConfig } from '../../src/model/model-config.ts'
import type { ModelConfig } from '../../src/model/resolved-model.ts'
import { folderWith, graphFile } from './graph-file.ts'
import { GOLDEN } from './models.ts'

export interface FamilyModel {
  readonly family: string
  readonly config: ModelConfig
  readonly prompts: readonly { ids: number[]; new_ids: number[] }[]
  /** Unpacks the graph. Its path. */
  unpack(): string
}

const FOLDER = join(GOLDEN, 'families')

export function familyModels(): FamilyModel[] {
  const names = readdirSync(FOLDER).filter((name) => name.endsWith('.json'))
  return names.map((name) => {
    const family = name.replace('.json', '')
    const told = JSON.parse(readFileSync(join(FOLDER, name), 'utf8')) as {
      config: Record<string, unknown>
      prompts: FamilyModel['prompts']
    }
    return {
      family,
      config: loadModelConfig(folderWith({ 'config.json': JSON.stringify(told.config) })),
      prompts: told.prompts,
      unpack: () => graphFile(gunzipSync(readFileSync(join(FOLDER, `${family}.onnx.gz`)))),
    }
  })
}
