/** What would run a model and how it would choose, told without loading it: `--dry-run`, `models show`, the bench's header. */

import type { Runs } from '../backend/runs.ts'
import type { ModelConfig, ResolvedModel } from '../model/resolved-model.ts'
import { openRuntime } from '../onnx-runtime/open-runtime.ts'
import { chooseThreads } from '../system/choose-threads.ts'
import { trustedSpoutCache } from '../system/spout-cache.ts'
import { expectOnDevice } from './load-on-device.ts'
import type { ModelChoice, OpenHow } from './open-options.ts'

/** Where and how: what an engine would be opened with. */
export type ExpectedHow = Pick<ModelChoice, 'device'> &
  Pick<OpenHow, 'runtime' | 'threads' | 'precise' | 'prepare'>

/** @throws SpoutError as opening would for what is not its weights' fault. */
export async function expectedRuns(
  { onnxPath }: Pick<ResolvedModel, 'onnxPath'>,
  config: ModelConfig,
  {
    runtime: choice = 'auto',
    precise = false,
    prepare: usePrepared = true,
    device = 'auto',
    threads,
  }: ExpectedHow,
): Promise<Runs> {
  const runtime = await openRuntime(choice)
  const cacheFolder = trustedSpoutCache(process.env)
  const session = { threads: chooseThreads({ threads }), spinning: true, cacheFolder, usePrepared, precise }
  return expectOnDevice({ runtime, onnxPath, config, device, options: session })
}
