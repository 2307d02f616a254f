import { createHash, randomBytes } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'

// Who left this file, and does he still live? A process number alone does not tell: numbers are used again, and a
// cache may be shared by containers and machines that count on their own. So an identity is number, start time,
// boot, and a mark of whoever hands out the numbers; of foreign marks nothing is claimed.

/** `p<pid>s<start>b<boot>n<mark>r<random>`: letters and digits only, so that it can be part of a file name. */
type Identity = string

const SHAPE = /^p(\d+)s(\d+)b([0-9a-f]+)n([0-9a-f]+)r[0-9a-f]+$/

/** A new identity of this process, different on each call. */
export function newIdentity(): Identity {
  const { pid } = process
  return `p${pid}s${startOf(pid)?.time ?? 0}b${place().boot}n${place().mark}r${randomBytes(4).toString('hex')}`
}

/** Whether the process an identity names still runs; `unknown` for processes elsewhere and for what is no identity. */
export function lifeOf(identity: string): 'alive' | 'self' | 'dead' | 'unknown' {
  const [, pid, start, boot, mark] = SHAPE.exec(identity) ?? []
  if (pid === undefined || mark !== place().mark) return 'unknown'
  if (boot !== place().boot) return 'dead'
  const now = startOf(Number(pid))
  const runs = now ? String(now.time) === start && !now.gone : !hasProc() && answersToSignals(Number(pid))
  if (!runs) return 'dead'
  return Number(pid) === process.pid ? 'self' : 'alive'
}

export function isIdentity(text: string): boolean {
  return SHAPE.test(text)
}

let known: { mark: string; boot: string } | undefined

/** Marks of the counter that numbers our processes, and of its present run. */
function place(): { mark: string; boot: string } {
  known ??= {
    mark: digest(textOf('/etc/machine-id') + hostname() + processNamespace()),
    boot: digest(textOf('/proc/sys/kernel/random/boot_id')),
  }
  return known
}

function processNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid')
  } catch {
    return ''
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8)
}

function hasProc(): boolean {
  return process.platform === 'linux'
}

/** When a process began, in the kernel's ticks, and whether it has ended though its parent has not noticed. */
function startOf(pid: number): { time: number; gone: boolean } | undefined {
  const status = textOf(`/proc/${pid}/stat`)
  if (status === '') return undefined
  const fields = status.slice(status.lastIndexOf(')') + 2).split(' ')
  return { time: Number(fields[19]), gone: fields[0] === 'Z' || fields[0] === 'X' }
}

function answersToSignals(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
