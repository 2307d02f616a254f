/**
 * Where a model runs sooner: on the processor or on the graphics card. Tried once, when the model is prepared, with what people
 * wait for: the model loaded, a prompt read, an answer written. The outcome is kept in our cache, one small file for a model.
 */
import { createHash } from 'node:crypto'
import { existsSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import type { Backend } from '../backend/backend.ts'
import { type FileState, fileState, sameContent } from '../system/file-state.ts'
import { readJsonFile } from '../system/json-file.ts'
import { listFiles } from '../system/list-files.ts'
import { makeFolder } from '../system/make-folder.ts'
import { durationText } from '../system/quantities.ts'
import { toJson } from '../system/text-display.ts'
import { writeWhole } from '../system/write-whole.ts'

/** Counted up when what is measured becomes another. */
const FORMAT = 1
const PROMPT = 128
const STEPS = 32
/** Tokens of the answer that is reckoned with. */
const ANSWER = 200
/** The card must win by as much: it takes longer to open than it seems while its driver is in memory. */
const MARGIN = 0.9

/** Milliseconds. */
interface Times {
  readonly load: number
  /** Of a prompt of 128 tokens. */
  readonly prefill: number
  readonly step: number
}

export interface DeviceTrial {
  readonly device: string
  readonly driver: string
  readonly faster: 'cpu' | 'gpu'
  readonly cpu: Times
  readonly gpu?: Times
  /** Why the card was not measured. */
  readonly why?: string
}

interface TrialKey {
  readonly onnxPath: string
  readonly precise: boolean
  readonly runtimeVersion: string
}

interface StoredTrial extends DeviceTrial {
  readonly format: number
  readonly graph: FileState
}

/** Whether anything was ever tried: where not, nobody need ask further. */
export function hasTrials(cacheFolder: string): boolean {
  return existsSync(trialsFolder(cacheFolder))
}

/** Where they are kept. */
export function trialsFolder(cacheFolder: string): string {
  return join(cacheFolder, FOLDER)
}

/** What came of the trial of this model; `undefined` where there was none, or of another file. */
export function readTrial(cacheFolder: string, key: TrialKey): DeviceTrial | undefined {
  const stored = readStored(trialPath(cacheFolder, key))
  return stored !== undefined && sameContent(stored.graph) !== undefined ? stored : undefined
}

function readStored(path: string): StoredTrial | undefined {
  try {
    const stored = readJsonFile(path) as unknown as StoredTrial | undefined
    return stored?.format === FORMAT && isWhole(stored) ? stored : undefined
  } catch {
    return undefined // Of our own writing once; whatever it is now, it says nothing.
  }
}

function isWhole({ faster, graph, device, cpu, gpu }: StoredTrial): boolean {
  const areTimes = (times: Times): boolean =>
    [times.load, times.prefill, times.step].every((ms) => Number.isFinite(ms))
  const isChosen = faster === 'cpu' || (faster === 'gpu' && gpu !== undefined)
  return (
    isChosen &&
    typeof graph.path === 'string' &&
    typeof device === 'string' &&
    areTimes(cpu) &&
    (gpu === undefined || areTimes(gpu))
  )
}

/** What came of trials of the graphs with these paths, a line each. */
export function trialLines(cacheFolder: string, graphs: readonly string[]): string[] {
  return listFiles(join(cacheFolder, FOLDER)).flatMap((name) => {
    const stored = readStored(join(cacheFolder, FOLDER, name))
    if (stored === undefined || !graphs.includes(stored.graph.path)) return []
    const { device, faster, cpu, gpu, why } = stored
    if (gpu === undefined) return [`cpu; ${device}: ${why}`]
    return [`${faster}; ${device}: ${answerText(gpu)} an answer, processor: ${answerText(cpu)}`]
  })
}

/** @throws what the file system says. */
export function writeTrial(cacheFolder: string, key: TrialKey, trial: DeviceTrial): void {
  const stored: StoredTrial = { format: FORMAT, graph: fileState(key.onnxPath), ...trial }
  makeFolder(join(cacheFolder, FOLDER), 0o700)
  writeWhole(trialPath(cacheFolder, key), `${toJson(stored)}\n`)
}

const FOLDER = 'devices'

function trialPath(cacheFolder: string, { onnxPath, precise, runtimeVersion }: TrialKey): string {
  const parts = [realpathSync(onnxPath), precise, runtimeVersion]
  const name = createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32)
  return join(cacheFolder, FOLDER, `${name}.json`)
}

/** Opens a backend, measures it, and closes it. */
export async function measure(
  open: () => Promise<Backend>,
  now: () => number = () => performance.now(),
): Promise<Times> {
  const started = now()
  const backend = await open()
  const load = now() - started
  try {
    const count = Math.max(1, Math.min(PROMPT, backend.contextLength - STEPS - 1))
    const ids = Int32Array.from({ length: count }, (_, i) => (i * 7919 + 13) % backend.vocabSize)
    // The first time code is compiled and memory made; a driver keeps what it compiled.
    await once(backend, ids, now)
    const { prefill, step } = await once(backend, ids, now)
    return { load, prefill: (prefill * PROMPT) / count, step }
  } finally {
    await backend.dispose()
  }
}

async function once(backend: Backend, ids: Int32Array, now: () => number): Promise<Omit<Times, 'load'>> {
  const cache = backend.createCache(ids.length + STEPS)
  const started = now()
  await backend.forward(ids, cache)
  const read = now()
  for (let i = 0; i < STEPS; i++)
    await backend.forward(ids.subarray(i % ids.length, (i % ids.length) + 1), cache)
  const ended = now()
  cache.dispose()
  return { prefill: read - started, step: (ended - read) / STEPS }
}

/** Who gives an answer of 200 tokens sooner, loading included. */
export function fasterOf(cpu: Times, gpu: Times): 'cpu' | 'gpu' {
  return answerMs(gpu) < MARGIN * answerMs(cpu) ? 'gpu' : 'cpu'
}

const answerMs = ({ load, prefill, step }: Times): number => load + prefill + ANSWER * step

const answerText = (times: Times): string => durationText(answerMs(times))
