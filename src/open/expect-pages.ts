/** What of a prompt would be found on disk, told without loading the model: `--dry-run`. */

import { PAGE } from '../backend/kv.ts'
import { preparedFingerprint } from '../backend/onnx/fingerprint.ts'
import { findPrepared } from '../backend/onnx/prepared/prepared-model.ts'
import { openRuntime } from '../onnx-runtime/open-runtime.ts'
import { PageStore } from '../prefix-cache/page-store.ts'
import { trustedSpoutCache } from '../system/spout-cache.ts'
import type { OpenEngineOptions } from './open-options.ts'

export interface ExpectedPages {
  readonly tokens: number
  readonly bytes: number
}

interface Where {
  readonly id: string
  readonly dtype: string
  readonly onnxPath: string
}

/** `undefined` of a model that is not prepared: what it would be run with is known once it runs. */
export async function expectedPages(
  ids: Int32Array,
  { id, dtype, onnxPath }: Where,
  { runtime: choice = 'auto', precise = false }: OpenEngineOptions,
): Promise<ExpectedPages | undefined> {
  const cacheFolder = trustedSpoutCache(process.env)
  if (cacheFolder === undefined) return undefined
  const runtime = await openRuntime(choice)
  const key = { onnxPath, precise, runtimeVersion: await runtime.version() }
  const manifest = findPrepared(cacheFolder, key)?.manifest
  const pageBytes = manifest?.plan?.pageBytes
  if (manifest === undefined || pageBytes === undefined) return undefined
  if (manifest.exactRows !== true) return { tokens: 0, bytes: 0 }
  const fingerprint = preparedFingerprint(manifest)
  const about = { model: id, dtype, graph: onnxPath }
  const store = new PageStore({ cacheFolder, about, fingerprint, pageBytes })
  const pages = store.isTrusted ? store.count(ids.subarray(0, Math.max(0, ids.length - 1))) : 0
  return { tokens: pages * PAGE, bytes: pages * pageBytes }
}
