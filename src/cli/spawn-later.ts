/** Work that nobody waits for: a process of its own at the lowest priority. The answer is out, and the shell has its prompt back. */
import { spawn } from 'node:child_process'
import { setPriority } from 'node:os'
import { join, resolve } from 'node:path'
import { PACKAGE_ROOT } from '../system/package-root.ts'
import { stdioOfNobody } from './inherited-descriptors.ts'

const LOWEST_PRIORITY = 19
/** The first that is neither input nor output: what `spawnLater` gives along is there. */
export const GIVEN_DESCRIPTOR = 3

/** Runs `spout` with these words. @param descriptor a file it is given. @throws where there is no process to be had */
export function spawnLater(words: readonly string[], descriptor?: number): void {
  const stdio = stdioOfNobody()
  if (descriptor !== undefined) stdio[GIVEN_DESCRIPTOR] = descriptor
  const child = spawn(process.execPath, [join(PACKAGE_ROOT, 'bin/spout.js'), ...words], {
    detached: true,
    cwd: '/',
    env: fromAnywhere(process.env),
    stdio,
    windowsHide: true,
  })
  child.on('error', () => undefined)
  child.unref()
  if (child.pid !== undefined) setPriority(child.pid, LOWEST_PRIORITY)
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
function fromAnywhere(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const changed = FOLDERS.flatMap((name): [string, string][] => {
    const value = env[name]
    return value && /^[^/~$]/.test(value) ? [[name, resolve(value)]] : []
  })
  return { ...env, ...Object.fromEntries(changed) }
}
