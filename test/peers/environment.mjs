/** What a reader needs to judge the figures: machine, load, versions, commit. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import os from 'node:os'

export function machine() {
  const [cpu] = os.cpus()
  return {
    cpu: cpu.model.trim(),
    cpus: os.availableParallelism(),
    quota: firstLine('/sys/fs/cgroup/cpu.max'),
    memory: `${Math.round(os.totalmem() / 2 ** 30)} GiB`,
    system: `${os.type()} ${os.arch()}`,
    node: process.version,
    commit: commit(),
  }
}

export const loadAverage = () => os.loadavg().map((load) => load.toFixed(2))

function firstLine(path) {
  try {
    return readFileSync(path, 'utf8').split('\n')[0]
  } catch {
    return undefined
  }
}

function commit() {
  try {
    const git = (...args) =>
      execFileSync('git', args, {
        cwd: import.meta.dirname,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      })
    return (
      git('rev-parse', '--short', 'HEAD').trim() +
      (git('status', '--porcelain').trim() ? ' (with changes)' : '')
    )
  } catch {
    return undefined
  }
}
