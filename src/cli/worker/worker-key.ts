/**
 * What a worker and a run must have in common for the answer to be the same: the program, how the model is opened, and what of the
 * environment has a say in it. Its hash is the name of the worker's socket. What the model's files are just now, the worker looks at
 * whenever it is called.
 */
import { createHash } from 'node:crypto'
import { statSync } from 'node:fs'
import { getPriority } from 'node:os'
import { join, resolve } from 'node:path'
import { isOffline } from '../../hub/hub-environment.ts'
import type { OpenEngineOptions } from '../../open/open-options.ts'
import { chooseThreads } from '../../system/choose-threads.ts'
import { orNothing } from '../../system/or-nothing.ts'
import { PACKAGE_ROOT } from '../../system/package-root.ts'
import type { Options } from '../options.ts'
import { promptCacheMode } from '../prompt-cache-mode.ts'
import { fromAnywhere } from '../spawn-later.ts'
import { version } from '../version.ts'

/** How a worker opens its engine: plain data, the same seen from any folder. */
export type WorkerOpening = Pick<
  OpenEngineOptions,
  | 'model'
  | 'dtype'
  | 'device'
  | 'threads'
  | 'contextLength'
  | 'prepare'
  | 'precise'
  | 'promptCache'
  | 'promptFiles'
  | 'cacheDir'
  | 'offline'
  | 'runtime'
  | 'chatTemplateFile'
>

/** Variables that may change an answer, or where something is found. No secret is among them. */
const VARIABLES =
  /^(HOME|TZ|XDG_CACHE_HOME|SPOUT_CACHE_DIR|SPOUT_ISA|SOURCE_DATE_EPOCH|NODE_OPTIONS|DRI_PRIME|(CUDA|__NV|__GLX|HF|HUGGINGFACE|TRANSFORMERS|ORT|OMP|LD|DYLD|VK|MESA)_\w+)$/
/** Secrets, addresses that may hold one (a worker asks no hub), and what this program sets by itself when it opens the runtime. */
const NOT_GIVEN = /TOKEN|KEY|SECRET|PASS|^HF_ENDPOINT$|^ORT_DISABLE_TELEMETRY$/

/** What a worker is given of the environment. */
export function workerEnvironment(env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  const names = Object.keys(env).filter((name) => VARIABLES.test(name) && !NOT_GIVEN.test(name))
  // A folder may be named by way of another variable.
  const named = names.flatMap((name) => Array.from(env[name]!.matchAll(/\$\{?(\w+)/g), ([, other]) => other!))
  const all = [...new Set([...names, ...named])]
    .filter((name) => env[name] !== undefined && !NOT_GIVEN.test(name))
    .sort()
  return fromAnywhere(Object.fromEntries(all.map((name) => [name, env[name]])))
}

export function workerOpening(options: Options): WorkerOpening {
  const { model, dtype, device, threads, ctxSize, prepare, precise, cacheDir, runtime, chatTemplate } =
    options
  const isKept = promptCacheMode(options) !== 'off'
  return {
    model: model === undefined ? undefined : placeOf(model),
    ...{ dtype, device, prepare, precise, runtime },
    threads: chooseThreads({ threads }),
    contextLength: ctxSize,
    promptCache: isKept,
    promptFiles: isKept,
    cacheDir: cacheDir === undefined ? undefined : resolve(cacheDir),
    offline: options.offline === true || isOffline(process.env),
    chatTemplateFile: chatTemplate === undefined ? undefined : resolve(chatTemplate),
  }
}

/** A folder's whole path, or a name of the hub. */
function placeOf(model: string): string {
  const isFolder = statSync(model, { throwIfNoEntry: false })?.isDirectory() ?? false
  return isFolder ? resolve(model) : model
}

/** 32 hexadecimal digits. */
export function workerKey(opening: WorkerOpening): string {
  const program = orNothing(() => statSync(join(PACKAGE_ROOT, 'dist/bundle/start.cjs'), { bigint: true }))
  const parts = [
    [version(), PACKAGE_ROOT, String(program?.mtimeNs), String(program?.ctimeNs), String(program?.size)],
    [process.execPath, process.version],
    // An answer is written as fast as whoever asks for it may work.
    getPriority(),
    Object.entries(workerEnvironment()),
    Object.entries(opening).filter(([, value]) => value !== undefined),
  ]
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32)
}
