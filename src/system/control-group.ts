/**
 * What a container may use: the limits of the control groups that this process is in, version 1 or 2, as the kernel's files
 * tell them. A limit holds for all groups below it, so the groups above count too as far as they can be seen.
 */
import { readFileSync } from 'node:fs'

/** The text of a file; `undefined` where there is none. */
type ReadText = (path: string) => string | undefined

/** Processors that this process may keep busy, as a number like 1.5; `undefined` where nobody limits it. */
export function cpuQuota(read: ReadText = readText): number | undefined {
  const quotas = groupsOf('cpu', read).map(({ folder, version }) =>
    version === 2
      ? quotient(read(`${folder}/cpu.max`) ?? '')
      : quotient(`${read(`${folder}/cpu.cfs_quota_us`)} ${read(`${folder}/cpu.cfs_period_us`)}`),
  )
  return least(quotas)
}

/** Bytes that this process may still take before its container is full; `undefined` where nobody limits it. */
export function memoryLeft(read: ReadText = readText): number | undefined {
  const rooms = groupsOf('memory', read).map(({ folder, version }) => {
    const names = version === 2 ? MEMORY_FILES : OLD_MEMORY_FILES
    const limit = integer(read(`${folder}/${names.limit}`))
    const used = integer(read(`${folder}/${names.used}`))
    // Copies of files that nobody looks at: they make room when it is needed.
    const copies = integer(names.copies.exec(read(`${folder}/memory.stat`) ?? '')?.[1]) ?? 0
    return limit === undefined || used === undefined
      ? undefined
      : Math.max(0, limit - Math.max(0, used - copies))
  })
  return least(rooms)
}

const MEMORY_FILES = { limit: 'memory.max', used: 'memory.current', copies: /^inactive_file (\d+)$/m }
const OLD_MEMORY_FILES = {
  limit: 'memory.limit_in_bytes',
  used: 'memory.usage_in_bytes',
  copies: /^total_inactive_file (\d+)$/m,
}

interface Group {
  readonly folder: string
  readonly version: 1 | 2
}

/** The groups that limit what `controller` counts: this process's own, and those above it. */
function groupsOf(controller: 'cpu' | 'memory', read: ReadText): Group[] {
  const lines = (read('/proc/self/cgroup') ?? '').split('\n')
  const memberships = lines.flatMap((line) => {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? []
    return path === undefined ? [] : [{ controllers: controllers!.split(','), path }]
  })
  const old = memberships.find(({ controllers }) => controllers.includes(controller))
  const own = old ?? memberships.find(({ controllers }) => controllers[0] === '')
  if (own === undefined) return []
  const version = old === undefined ? 2 : 1
  const mount = findMount(version === 2 ? undefined : controller, read)
  return mount === undefined ? [] : foldersOf(own.path, mount).map((folder) => ({ folder, version }))
}

interface Mount {
  /** Which group is what is seen at `point`. */
  readonly root: string
  readonly point: string
}

/** Where the groups lie as folders. @param controller of version 1; `undefined`: version 2 */
function findMount(controller: string | undefined, read: ReadText): Mount | undefined {
  for (const line of (read('/proc/self/mountinfo') ?? '').split('\n')) {
    const [before = '', after = ''] = line.split(' - ')
    const [, , , root, point] = before.split(' ')
    const [type, , options = ''] = after.split(' ')
    const fits =
      controller === undefined
        ? type === 'cgroup2'
        : type === 'cgroup' && options.split(',').includes(controller)
    if (fits && point !== undefined) return { root: unescaped(root!), point: unescaped(point) }
  }
  return undefined
}

/** A group that is not below what is mounted cannot be seen: the uppermost that can be stands for it. */
function foldersOf(path: string, { root, point }: Mount): string[] {
  const isBelow = root === '/' || path === root || path.startsWith(`${root}/`)
  const names = (isBelow ? path.slice(root === '/' ? 0 : root.length) : '').split('/').filter(Boolean)
  const visible = names.includes('..') ? [] : names
  return [point, ...visible.map((_, i) => [point, ...visible.slice(0, i + 1)].join('/'))]
}

/** mountinfo writes a blank as \040. */
function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))
}

/** `150000 100000` is 1.5; `max 100000` and `-1 100000` are no limit. */
function quotient(text: string): number | undefined {
  const [quota, period] = text.trim().split(/\s+/).map(integer)
  return quota === undefined || period === undefined || period === 0 ? undefined : quota / period
}

function integer(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+$/.test(text.trim()) ? Number(text) : undefined
}

function least(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined)
  return known.length === 0 ? undefined : Math.min(...known)
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
