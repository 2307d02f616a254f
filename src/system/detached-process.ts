/**
 * A process that outlives this one, made as a large process makes one quickly: nothing of its memory is copied or shared on the
 * way (posix_spawn), where a fork takes tens of milliseconds for some hundred megabytes. Linux with glibc 2.29 or later.
 */
import koffi from 'koffi'
import { SpoutError } from '../errors.ts'

export interface DetachedProcess {
  readonly program: string
  readonly args: readonly string[]
  readonly env: NodeJS.ProcessEnv
  /** Where it stands. */
  readonly folder: string
  /** A file that it has open as descriptor 3. */
  readonly given: number | undefined
  /** That it would get from us otherwise. */
  readonly closed: readonly number[]
}

/** What it has open beside nothing for input and output. */
const GIVEN = 3
const NOTHING = '/dev/null'
const READ_WRITE = 2
/** POSIX_SPAWN_SETSIGDEF, SETSIGMASK, SETSID: as a shell would start it, and in a session of its own. */
const HOW = 0x04 | 0x08 | 0x80
/** More than the system's own records of that take. */
const RECORD_BYTES = 512
const SIGNALS_BYTES = 128

let libc: ReturnType<typeof openLibc> | undefined

function openLibc() {
  const library = koffi.load('libc.so.6')
  const actions = 'int posix_spawn_file_actions_'
  return {
    initActions: library.func(`${actions}init(void*)`),
    freeActions: library.func(`${actions}destroy(void*)`),
    addOpen: library.func(`${actions}addopen(void*, int, const char*, int, unsigned int)`),
    addDuplicate: library.func(`${actions}adddup2(void*, int, int)`),
    addClose: library.func(`${actions}addclose(void*, int)`),
    addFolder: library.func(`${actions}addchdir_np(void*, const char*)`),
    initAttributes: library.func('int posix_spawnattr_init(void*)'),
    setFlags: library.func('int posix_spawnattr_setflags(void*, short)'),
    setDefaults: library.func('int posix_spawnattr_setsigdefault(void*, void*)'),
    setMask: library.func('int posix_spawnattr_setsigmask(void*, void*)'),
    spawn: library.func('int posix_spawn(_Out_ int*, const char*, void*, void*, const char**, const char**)'),
  }
}

/** @returns its id. @throws SpoutError `os` where there is none to be had, or what loading says where the system has no such call */
export function startDetached({ program, args, env, folder, given, closed }: DetachedProcess): number {
  libc ??= openLibc()
  const { spawn, freeActions } = libc
  const actions = fileActions({ folder, given, closed })
  try {
    const id = [0]
    const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`)
    const error = spawn(id, program, actions, attributes(), [program, ...args, null], [...variables, null])
    if (error !== 0) throw new SpoutError('os', `process: cannot be started (error ${error})`)
    return id[0]!
  } finally {
    freeActions(actions)
  }
}

function fileActions({
  folder,
  given,
  closed,
}: Pick<DetachedProcess, 'folder' | 'given' | 'closed'>): Buffer {
  const { initActions, addOpen, addDuplicate, addClose, addFolder } = libc!
  const actions = Buffer.alloc(RECORD_BYTES)
  initActions(actions)
  for (const descriptor of [0, 1, 2]) addOpen(actions, descriptor, NOTHING, READ_WRITE, 0)
  for (const descriptor of closed) addClose(actions, descriptor)
  if (given !== undefined) addDuplicate(actions, given, GIVEN)
  addFolder(actions, folder)
  return actions
}

function attributes(): Buffer {
  const { initAttributes, setFlags, setDefaults, setMask } = libc!
  const record = Buffer.alloc(RECORD_BYTES)
  initAttributes(record)
  setFlags(record, HOW)
  setDefaults(record, Buffer.alloc(SIGNALS_BYTES, 0xff))
  setMask(record, Buffer.alloc(SIGNALS_BYTES))
  return record
}
