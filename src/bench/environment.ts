/** What a reader must know to judge the figures. */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism, cpus, loadavg, totalmem, type } from 'node:os'
import { basename, dirname, join } from 'node:path'
import type { Runs } from '../backend/runs.ts'
import { loadChatTemplate } from '../chat-template/chat-template.ts'
import type { GenerateRequest } from '../engine/request.ts'
import { hashPath } from '../hub-cache/blob-hash.ts'
import { loadModelConfig } from '../model/model-config.ts'
import type { ResolvedModel } from '../model/resolved-model.ts'
import { expectedRuns } from '../open/expect-run.ts'
import { resolveFor } from '../open/open-engine.ts'
import { defaultThreads } from '../system/threads.ts'
import type { ArmSpec, EngineHooks } from './arm.ts'
import { ofArm } from './arm-error.ts'

interface ModelFacts {
  readonly id: string
  readonly revision: string | null
  readonly dtype: string
  /** SHA-256 of the graph and of the weights beside it, in the order of their names. */
  readonly sha256: string
  readonly bytes: number
}

export interface ArmFacts {
  readonly name: string
  readonly standsFor: string
  readonly model: ModelFacts
  readonly threads: number
  /** The binding that runs the session, or the engine. */
  readonly runtime: string
  /** What runs it; null of another engine. */
  readonly runs: Runs | null
  readonly hasChatTemplate: boolean
  /** The prompt goes through the chat template. */
  readonly isChat: boolean
}

export interface Environment {
  readonly date: string
  readonly cpu: string
  /** Processors this process may use. */
  readonly cores: number
  readonly memoryBytes: number
  readonly system: string
  readonly node: string
  readonly onnxRuntime: string
  readonly loadBefore: readonly number[]
  readonly arms: readonly ArmFacts[]
}

/** Reads every model file once, to hash it. */
export async function describeEnvironment(
  arms: readonly ArmSpec[],
  { raw }: Pick<GenerateRequest, 'raw'>,
  hooks: EngineHooks,
): Promise<Environment> {
  return {
    date: new Date().toISOString(),
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    system: `${type()} ${process.arch}`,
    node: process.version,
    onnxRuntime: onnxRuntimeVersion(),
    loadBefore: loadavg(),
    arms: await describeArms(arms, { hooks, raw, known: new Map() }),
  }
}

/** @throws SpoutError that names the arm whose model cannot be found. */
async function describeArms(arms: readonly ArmSpec[], described: Described): Promise<ArmFacts[]> {
  const facts: ArmFacts[] = []
  for (const arm of arms) {
    try {
      facts.push(await describeArm(arm, described))
    } catch (error) {
      throw ofArm(arm.name, error)
    }
  }
  return facts
}

interface Described {
  readonly hooks: EngineHooks
  readonly raw: boolean
  /** By the path of the graph. */
  readonly known: Map<string, ModelFacts>
}

async function describeArm(arm: ArmSpec, { hooks, raw, known }: Described): Promise<ArmFacts> {
  const { name, standsFor, settings, engine } = arm
  const files = await resolveFor(settings, hooks)
  const model = known.get(files.onnxPath) ?? (await describeModel(files, hooks.signal))
  known.set(files.onnxPath, model)
  const threads = settings.threads ?? defaultThreads()
  const isOurs = engine === 'spout'
  const runs = isOurs ? await expectedRuns(files, loadModelConfig(files.folder), settings) : null
  const hasChatTemplate =
    (await loadChatTemplate(files.folder, { file: settings.chatTemplateFile })) !== undefined
  const isChat = hasChatTemplate && !raw
  return { name, standsFor, model, threads, runtime: runs?.runtime ?? engine, runs, hasChatTemplate, isChat }
}

async function describeModel(files: ResolvedModel, signal?: AbortSignal): Promise<ModelFacts> {
  const hash = createHash('sha256')
  let total = 0
  for (const path of weightPaths(files.onnxPath)) {
    const bytes = statSync(path).size
    await hashPath(path, hash, { bytes, signal })
    total += bytes
  }
  const { id, revision = null, dtype } = files
  return { id, revision, dtype, sha256: hash.digest('hex'), bytes: total }
}

/** `model_q4.onnx`, and `model_q4.onnx_data` with what follows it. */
function weightPaths(onnxPath: string): string[] {
  const folder = dirname(onnxPath)
  const name = basename(onnxPath)
  const isOurs = (file: string): boolean =>
    file === name || file.startsWith(`${name}_data`) || file === `${name}.data`
  return readdirSync(folder)
    .filter(isOurs)
    .sort()
    .map((file) => join(folder, file))
}

/** The native library's: it comes with the package, and has its number. */
function onnxRuntimeVersion(): string {
  const main = createRequire(import.meta.url).resolve('onnxruntime-node')
  const file = join(dirname(dirname(main)), 'package.json')
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
}
