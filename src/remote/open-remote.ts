/** Opens an engine of servers elsewhere: finds the model that they serve, and whether they are there. */
import { setMaxListeners } from 'node:events'
import type { EngineModel } from '../engine/engine.ts'
import { SpoutError } from '../errors.ts'
import { createAgents } from '../hub/http-exchange.ts'
import type { Environment } from '../hub/hub-environment.ts'
import { TransientError } from '../hub/hub-errors.ts'
import { tellOnce } from '../system/tell-once.ts'
import { quote } from '../system/text-display.ts'
import { Asking, MANY, ONE } from './asking.ts'
import { Fleet } from './fleet.ts'
import { RemoteEngine } from './remote-engine.ts'
import { DEADLINES, type Deadlines, RemoteServer } from './server.ts'

export interface OpenRemoteOptions {
  /** As `parseServers` gives them. */
  readonly servers: readonly string[]
  /** As the servers call it; `undefined`: the one that they serve. */
  readonly model: string | undefined
  readonly key: string | undefined
  readonly env: Environment
  /** Requests at once, to all of them. */
  readonly parallel: number
  /** Many answers, none of them read before it is whole: what was cut is asked for anew, and patience is longer. */
  readonly whole: boolean
  readonly deadlines?: Deadlines | undefined
  readonly tries?: typeof ONE | undefined
  readonly signal?: AbortSignal | undefined
  /** Told what is done again, and what may not be obeyed. */
  readonly note: (text: string) => void
}

/** Over an even share: one that knows the beginning of a prompt takes a little more. */
const MORE_THAN_SHARE = 1.25

/**
 * Asks which model there is, where it is not named.
 * @throws SpoutError `usage` before anything is sent; what keeps the servers from being asked
 */
export async function openRemote(options: OpenRemoteOptions): Promise<RemoteEngine> {
  const { servers: bases, key, env, parallel, whole, deadlines = DEADLINES, signal } = options
  const note = tellOnce(options.note)
  const share = Math.max(1, Math.ceil((parallel / bases.length) * (bases.length === 1 ? 1 : MORE_THAN_SHARE)))
  const agents = createAgents(share)
  if (signal !== undefined) setMaxListeners(0, signal)
  const servers = bases.map((base) => new RemoteServer({ base, key, env, agents, deadlines, most: share }))
  const fleet = new Fleet(servers)
  const asking = new Asking({ fleet, whole, note, tries: options.tries ?? (whole ? MANY : ONE) })
  try {
    const found = options.model === undefined ? await findModel(fleet, options) : undefined
    const model = modelOf(options.model ?? found!.id, found?.contextLength, servers)
    return new RemoteEngine({ model, asking, whole, note, close: () => agents.close() })
  } catch (error) {
    agents.close()
    throw error
  }
}

interface Listed {
  readonly id: string
  readonly contextLength: number | undefined
}

/** The model that all serve who can be reached. @throws SpoutError `usage` where it must be named */
async function findModel(fleet: Fleet, { signal, note }: OpenRemoteOptions): Promise<Listed> {
  const lists = await Promise.allSettled(
    fleet.servers.map(async (server) => listIn(await server.models(signal), server.origin)),
  )
  signal?.throwIfAborted()
  const errors = lists.map((list) => (list.status === 'rejected' ? finalOf(list.reason) : undefined))
  const wrong = errors.find((error) => error !== undefined && !isAbsence(error))
  const found = lists.flatMap((list) => (list.status === 'fulfilled' ? [list.value] : []))
  if (wrong !== undefined || found.length === 0) throw wrong ?? errors.find((error) => error !== undefined)
  for (const [i, error] of errors.entries()) {
    if (error === undefined) continue
    note(`${(error as Error).message}; going on without it`)
    fleet.rest(fleet.servers[i]!)
  }
  return theOne(found)
}

function finalOf(error: unknown): unknown {
  return error instanceof TransientError ? error.final : error
}

/** It is not there, or not now: others may be. */
function isAbsence(error: unknown): boolean {
  return error instanceof SpoutError && (error.code === 'unavailable' || error.code === 'try-later')
}

function theOne(lists: readonly (readonly Listed[])[]): Listed {
  const names = [...new Set(lists.flat().map(({ id }) => id))]
  const everywhere = names.filter((name) => lists.every((list) => list.some(({ id }) => id === name)))
  if (names.length === 0)
    throw new SpoutError('not-found', 'engine: it serves no model', { hint: '-m names one' })
  if (names.length > 1 || everywhere.length === 0) {
    const some = names.slice(0, MOST_NAMED).map((name) => quote(name, 80))
    const more = names.length > MOST_NAMED ? `, and ${names.length - MOST_NAMED} more` : ''
    throw new SpoutError('usage', `engine: more than one model is served: ${some.join(', ')}${more}`, {
      hint: '-m names one',
    })
  }
  const of = lists.flat().find(({ contextLength }) => contextLength !== undefined)
  return of ?? lists.flat()[0]!
}

const MOST_NAMED = 8

/** OpenAI's list. vLLM and SGLang tell the length of the context beside each. */
function listIn(value: unknown, origin: string): Listed[] {
  const { data } = (value ?? {}) as { data?: unknown }
  if (!Array.isArray(data)) {
    throw new SpoutError('protocol', `engine: ${origin}: what it calls a list of models is none`, {
      hint: 'is it the address of an OpenAI-compatible server',
    })
  }
  return data.flatMap((each: { id?: unknown; max_model_len?: unknown } | null) => {
    const { id, max_model_len: length } = each ?? {}
    if (typeof id !== 'string' || id === '') return []
    return [
      {
        id,
        contextLength:
          Number.isSafeInteger(length) && (length as number) > 0 ? (length as number) : undefined,
      },
    ]
  })
}

function modelOf(
  id: string,
  contextLength: number | undefined,
  servers: readonly RemoteServer[],
): EngineModel {
  return {
    id,
    revision: undefined,
    dtype: 'remote',
    runtime: 'remote',
    runs: { device: 'remote', servers: [...new Set(servers.map(({ origin }) => origin))] },
    contextLength: contextLength ?? Number.POSITIVE_INFINITY,
    vocabSize: 0,
    mayPrepare: false,
    hasChatTemplate: true,
    toolFormat: undefined,
  }
}
