/**
 * After an answer: what was computed of its prompt is left on disk for the next run, where that saves enough and the text may be
 * kept. A process of its own writes it. Nothing here fails a run.
 */
import { accessSync, closeSync, constants } from 'node:fs'
import { PROBES } from '../engine/encode-prompt.ts'
import type { Engine, EngineResult } from '../engine/engine.ts'
import { type GenerateRequest, makeRequest, withLastMessage } from '../engine/request.ts'
import type { HandOver } from '../prefix-cache/hand-over.ts'
import { allPages, LEAST_MS, pagesLimit, promptsFolder } from '../prefix-cache/stored-pages.ts'
import { makeFolder } from '../system/make-folder.ts'
import { bytesText } from '../system/quantities.ts'
import { trustedSpoutCache } from '../system/spout-cache.ts'
import type { Options } from './options.ts'
import { type PromptCacheMode, promptCacheMode } from './prompt-cache-mode.ts'
import { type FilePart, liesOnDisk, type PromptOrigin } from './prompt-source.ts'
import { requestOptions } from './request-from-flags.ts'
import { spawnLater } from './spawn-later.ts'
import { writeLine } from './terminal/messages.ts'

/** The words that make this program write what it is given (commands/cache.ts). */
export const WRITE_WORDS = ['cache', 'write'] as const

interface KeepPrompt {
  readonly engine: Engine
  readonly options: Options
  /** The text is what these have in common. */
  readonly requests: readonly GenerateRequest[]
  /** Tokens that were computed as prompts, and how long that took. */
  readonly prefilled: Prefilled
}

export interface Prefilled {
  readonly tokens: number
  readonly ms: number
}

/** Of one answer. */
export function prefilledOf({ timings, promptTokens, keptTokens }: EngineResult): Prefilled {
  return { tokens: promptTokens - keptTokens, ms: Math.max(0, timings.prefilledAt - timings.startedAt) }
}

/** Leaves a prompt for the next run. Never throws: what is not kept is computed again. */
export async function keepPrompt({ engine, options, requests, prefilled }: KeepPrompt): Promise<void> {
  const say = (text: string): void => {
    if (options.verbose) writeLine(`prompt cache: ${text}`)
  }
  const leastMs = leastSaved()
  if (engine.handOverPrompt === undefined || prefilled.tokens === 0 || prefilled.ms < leastMs) return
  if (engine.model.mayPrepare)
    return say('not kept: once the model is prepared, its keys and values are others')
  try {
    const cacheFolder = writableCache()
    if (cacheFolder === undefined) return say('not kept: others can write to the folder')
    const msPerToken = prefilled.ms / prefilled.tokens
    const handed = await engine.handOverPrompt(requests, { msPerToken, leastMs })
    if (handed === undefined) return
    if (!(await writeLater(cacheFolder, handed))) return say('not kept: the disk has no room for it')
    say(`${handed.pages} pages (${bytesText(handed.bytes)}) are kept for the next run`)
  } catch (error) {
    say(`not kept: ${(error as Error).message}`)
  }
}

/** A process of its own writes what it is handed. False where the disk has no room for it. */
export async function writeLater(cacheFolder: string, handed: HandOver): Promise<boolean> {
  const { descriptor } = handed
  if (descriptor === undefined) return true
  try {
    if (!hasRoom(cacheFolder, handed)) return false
    await spawnLater(WRITE_WORDS, { descriptor })
    return true
  } finally {
    closeSync(descriptor)
  }
}

function leastSaved(): number {
  const given = Number(process.env.SPOUT_PROMPT_CACHE_MS || Number.NaN)
  return given >= 0 ? given : LEAST_MS
}

/** @throws what the file system says; `undefined` where others can write */
function writableCache(): string | undefined {
  const cacheFolder = trustedSpoutCache(process.env)
  if (cacheFolder === undefined) return undefined
  makeFolder(promptsFolder(cacheFolder), 0o700)
  accessSync(promptsFolder(cacheFolder), constants.W_OK)
  return cacheFolder
}

/** For one page at least; whoever writes them makes room, and writes as many as fit. */
function hasRoom(cacheFolder: string, { pages, bytes }: HandOver): boolean {
  const used = (): number => allPages(cacheFolder).reduce((sum, page) => sum + page.bytes, 0)
  const page = bytes / pages
  return page <= pagesLimit(cacheFolder, 0) || page <= pagesLimit(cacheFolder, used())
}

/**
 * What of a prompt that was answered may be kept: what it has in common with this request, where something else stands for what
 * words say, a template's arguments and a structure too. `undefined`: nothing.
 */
export function keepable(
  request: GenerateRequest,
  { system, prompt }: PromptOrigin,
  options: Options,
): GenerateRequest | undefined {
  const mode: PromptCacheMode = promptCacheMode(options)
  if (mode === 'off') return undefined
  if (mode === 'all') return request
  if (system === undefined && prompt === undefined) return undefined
  return makeRequest({
    ...requestOptions({ ...options, templateArg: [] }),
    system: system ?? (options.system === undefined ? undefined : unlike(options.system)),
    prompt: prompt === undefined ? unlike(`${request.messages.at(-1)!.content}`) : promptUnlike(prompt),
  })
}

/** What all lines of a batch begin with, as requests that have just that in common; `undefined`: nothing that may be kept. */
export function keepableBeginning(
  options: Options,
  { system, before }: { readonly system: string | undefined; readonly before: string | undefined },
): GenerateRequest[] | undefined {
  const mode = promptCacheMode(options)
  const mayKeep = (files: readonly string[]): boolean => mode === 'all' || files.every(liesOnDisk)
  const { systemFile, file = [], templateArg = [] } = options
  const knownSystem = system !== undefined && mayKeep(systemFile === undefined ? [IN_WORDS] : [systemFile])
  const knownBefore = before !== undefined && mayKeep(file)
  if (mode === 'off' || !(knownSystem || knownBefore)) return undefined
  return PROBES.map((probe) =>
    makeRequest({
      ...requestOptions({ ...options, templateArg: mode === 'all' ? templateArg : [] }),
      system: knownSystem || system === undefined ? system : probe,
      prompt: knownBefore ? `${before}\n\n${probe}` : probe,
    }),
  )
}

/** No name of a file. */
const IN_WORDS = ''

function promptUnlike({ text, rest }: FilePart): string {
  return rest === '' ? text : `${text}\n\n${unlike(rest)}`
}

/** What is kept is what both begin with: nothing of the words, if it begins otherwise. */
function unlike(words: string): string {
  const firstOf = (text: string): string | undefined => text.trim().toLowerCase()[0]
  return PROBES.find((probe) => firstOf(probe) !== firstOf(words))!
}

/** The same of a conversation whose next turn this is: all that comes before it. */
export function keepableTurns(next: GenerateRequest): GenerateRequest[] {
  return PROBES.map((probe) => withLastMessage(next, probe))
}
