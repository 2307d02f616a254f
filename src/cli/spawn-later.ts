/** Work that nobody waits for: a process of its own at the lowest priority. The answer is out, and the shell has its prompt back. */
import { setPriority } from 'node:os'
import { join, resolve } from 'node:path'
import type { DetachedProcess } from '../system/detached-process.ts'
import { PACKAGE_ROOT } from '../system/package-root.ts'
import { inheritedDescriptors, stdioOfNobody } from './inherited-descriptors.ts'

const LOWEST_PRIORITY = 19
/** The first that is neither input nor output: what `spawnLater` gives along is there. */
export const GIVEN_DESCRIPTOR = 3

interface Later {
  /** A file it is given. */
  readonly descriptor?: number
  /** Default: all of ours. */
  readonly env?: NodeJS.ProcessEnv
  /** Default: the lowest. */
  readonly priority?: 'lowest' | 'same'
}

/** Runs `spout` with these words; resolves once it has begun. @throws where there is no process to be had */
export async function spawnLater(words: readonly string[], later: Later = {}): Promise<void> {
  const { descriptor, env = process.env, priority = 'lowest' } = later
  const started = {
    program: process.execPath,
    args: [join(PACKAGE_ROOT, 'bin/spout.js'), ...words],
    env: fromAnywhere(env),
    folder: '/',
  }
  const id = (await spawned(started, descriptor)) ?? (await forked(started, descriptor))
  if (priority === 'lowest' && id !== undefined) setPriority(id, LOWEST_PRIORITY)
}

type Started = Omit<DetachedProcess, 'given' | 'closed'>

/** `undefined` where the system has no such call. */
async function spawned(started: Started, given: number | undefined): Promise<number | undefined> {
  if (process.platform !== 'linux') return undefined
  try {
    const { startDetached } = await import('../system/detached-process.ts')
    return startDetached({ ...started, given, closed: inheritedDescriptors() })
  } catch {
    return undefined
  }
}

async function forked({ program, args, env, folder }: Started, given: number | undefined) {
  const { spawn } = await import('node:child_process')
  const stdio = stdioOfNobody()
  if (given !== undefined) stdio[GIVEN_DESCRIPTOR] = given
  const child = spawn(program, args, { detached: true, cwd: folder, env, stdio, windowsHide: true })
  child.on('error', () => undefined)
  child.unref()
  return child.pid
}

/** Folders that a variable may name, seen from where this process was started. */
const FOLDERS = [
  'SPOUT_CACHE_DIR',
  'XDG_CACHE_HOME',
  'XDG_CONFIG_HOME',
  'HF_HUB_CACHE',
  'HUGGINGFACE_HUB_CACHE',
  'HF_HOME',
]

/** The environment for a process that stands elsewhere: one that stayed would keep a disk from being taken out. */
export function fromAnywhere(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const changed = FOLDERS.flatMap((name): [string, string][] => {
    const value = env[name]
    return value && /^[^/~$]/.test(value) ? [[name, resolve(value)]] : []
  })
  return { ...env, ...Object.fromEntries(changed) }
}
