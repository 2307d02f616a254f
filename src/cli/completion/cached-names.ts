import { readdirSync } from 'node:fs'
import { cacheRoot, type Environment } from '../../hub/hub-environment.ts'
import { isRepo } from '../../model/model-id.ts'

/** The models that have a folder in the hub's cache, by their names. */
export function cachedNames(env: Environment, cacheDir?: string): string[] {
  let folders: string[]
  try {
    folders = readdirSync(cacheRoot(env, cacheDir))
  } catch {
    return []
  }
  return folders
    .filter((folder) => folder.startsWith('models--'))
    .map((folder) => folder.slice('models--'.length).replaceAll('--', '/'))
    .filter(isRepo)
    .sort()
}
