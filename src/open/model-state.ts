/**
 * What an engine that is opened now would be made of, told without opening it: for whoever holds one that was opened before. Two
 * states that are the same text are the same engine.
 */
import { lstatSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { preparedManifest } from '../backend/onnx/prepared/prepared-model.ts'
import { SpoutError } from '../errors.ts'
import { checkModelFiles } from '../model/check-model-files.ts'
import type { ResolvedModel } from '../model/resolved-model.ts'
import { openRuntime } from '../onnx-runtime/open-runtime.ts'
import { stampsOf } from '../system/file-state.ts'
import { orNothing } from '../system/or-nothing.ts'
import { trustedSpoutCache } from '../system/spout-cache.ts'
import { trialsFolder } from './device-trial.ts'
import { resolveFor } from './open-engine.ts'
import type { OpenEngineOptions } from './open-options.ts'

export interface ModelState {
  readonly text: string
  readonly weightBytes: number
}

/** @throws SpoutError where it could not be opened, or not without fetching */
export async function modelState(options: OpenEngineOptions): Promise<ModelState> {
  const beforeFetch = async (): Promise<never> => {
    throw new SpoutError('not-found', 'model: not all of it is here')
  }
  const resolved = await resolveFor(options, { beforeFetch })
  const paths = [
    ...filesOf(resolved),
    ...(options.chatTemplateFile === undefined ? [] : [options.chatTemplateFile]),
    ...(await preparedPaths(resolved, options)),
  ]
  const stamps = paths.map((path) => [path, orNothing(() => stampsOf(path))])
  return { text: JSON.stringify([resolved, stamps]), weightBytes: checkModelFiles(resolved) }
}

/** All that lies beside the graph, and beside the tokenizer. */
function filesOf({ folder, onnxPath }: ResolvedModel): string[] {
  return [...new Set([folder, dirname(onnxPath)])].flatMap((each) =>
    readdirSync(each)
      .sort()
      .map((name) => join(each, name))
      .filter((path) => orNothing(() => !lstatSync(path).isDirectory()) ?? false),
  )
}

/** What was prepared of it, and where it was found to run sooner. */
async function preparedPaths({ onnxPath }: ResolvedModel, options: OpenEngineOptions): Promise<string[]> {
  const { prepare = true, precise = false, runtime: choice = 'auto' } = options
  const cacheFolder = prepare ? trustedSpoutCache(process.env) : undefined
  if (cacheFolder === undefined) return ['nothing prepared']
  const runtimeVersion = await (await openRuntime(choice)).version()
  return [preparedManifest(cacheFolder, { onnxPath, precise, runtimeVersion }), trialsFolder(cacheFolder)]
}
