/** Engines over a model without weights that share pages by a folder, as processes one after another do. */
import { closeSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Engine, EngineModel } from '../../src/engine/engine.ts'
import { createLocalEngine } from '../../src/engine/local-engine.ts'
import { type GenerateRequest, makeRequest } from '../../src/engine/request.ts'
import { PageStore } from '../../src/prefix-cache/page-store.ts'
import { writePages } from '../../src/prefix-cache/write-pages.ts'
import { backendOf, type RunnerScript, scriptedRunner } from './scripted-runner.ts'

const ALL = mkdtempSync(join(tmpdir(), 'spout-pages-'))
process.on('exit', () => rmSync(ALL, { recursive: true, force: true }))

/** A folder of its own, taken away at the end. */
export const cacheFolder = (): string => mkdtempSync(join(ALL, 'cache-'))

export const about = { model: 'org/scripted', dtype: 'fp32', graph: import.meta.filename }

interface StoredScript extends RunnerScript {
  readonly salt?: string
  /** Memory for pages. */
  readonly kvPages?: number
}

/** As a process would open it. */
export function openStored(folder: string, { salt, kvPages = 64, ...script }: StoredScript = {}) {
  const runner = scriptedRunner({ length: 150, ...script })
  const { fingerprint } = runner.numerics
  const { pageBytes } = runner.pool
  const store = new PageStore({ cacheFolder: folder, about, fingerprint, pageBytes, salt })
  const engine = createLocalEngine({
    ...{ model: {} as EngineModel, defaults: {}, template: undefined, backend: backendOf(runner) },
    kvBytes: kvPages * pageBytes,
    openPages: async () => store,
  })
  return { runner, engine, store }
}

/** Leaves on disk what the engine holds of a text, whatever that saves. @returns pages that were handed over */
export async function leave(engine: Engine, requests: readonly GenerateRequest[]): Promise<number> {
  const handed = await engine.handOverPrompt!(requests, { msPerToken: 1e9 })
  if (handed === undefined) return 0
  try {
    await writePages(handed.descriptor!)
  } finally {
    closeSync(handed.descriptor!)
  }
  return handed.pages
}

export const rawRequest = (prompt: string, seed = 1, maxTokens = 12): GenerateRequest =>
  makeRequest({ prompt, raw: true, maxTokens, sampling: { temperature: 1.2, seed: BigInt(seed) } })
