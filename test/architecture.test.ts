/** Keeps the directions of the imports, the doors of the packages and the names of the files. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { expect, test } from 'vitest'

const SRC = resolve(import.meta.dirname, '../src')
const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => file.replaceAll('\\', '/'))

interface Import {
  readonly from: string
  /** A file below src, or a package. */
  readonly to: string
  readonly isPackage: boolean
  readonly isTypeOnly: boolean
}

const imports: Import[] = files.flatMap((from) => {
  const text = readFileSync(join(SRC, from), 'utf8')
  const found = text.matchAll(
    /^(?:import|export)(\s+type)?\b[^'"`;]*?from\s+'([^']+)'|\bimport\(\s*'([^']+)'/gm,
  )
  return Array.from(found, ([, type, named, lazy]) => {
    const name = named ?? lazy!
    const isPackage = !name.startsWith('.')
    const to = isPackage
      ? packageOf(name)
      : relative(SRC, resolve(SRC, dirname(from), name)).replaceAll('\\', '/')
    return { from, to, isPackage, isTypeOnly: type !== undefined }
  })
})

function packageOf(name: string): string {
  if (name.startsWith('node:')) return name
  return name
    .split('/')
    .slice(0, name.startsWith('@') ? 2 : 1)
    .join('/')
}

/** Top-level place of a file: its folder, or its own name. */
const room = (file: string): string => file.split('/')[0]!
const ANYWHERE = new Set(['errors.ts', 'trace.ts'])
/** Interfaces, and rules as pure as they, that others may name without depending on an implementation. */
const INTERFACES = new Set([
  'backend/backend.ts',
  'backend/kv.ts',
  'backend/pieces.ts',
  'backend/run-forward.ts',
  'drafting/drafter.ts',
  'grammar/constraint.ts',
  'tokenizer/tokenizer.ts',
  'sampling/sampler.ts',
  'sampling/token-logprobs.ts',
  'model/resolved-model.ts',
])
/** Rooms whose implementations a backend is made of. */
const BELOW_BACKEND = new Set(['graph-passes', 'kernels', 'onnx-file', 'onnx-runtime', 'system'])

const MOST_BACKEND_LINES = 5500

/** Which rooms a room may import. One that is not listed may import nothing. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  'errors.ts': [],
  'trace.ts': [],
  system: [],
  sampling: ['system'],
  'onnx-file': ['system'],
  kernels: ['onnx-file', 'system'],
  'onnx-runtime': ['kernels', 'onnx-file', 'system'],
  'graph-passes': ['kernels', 'onnx-file', 'system'],
  model: ['onnx-file', 'system'],
  hub: ['model', 'system'],
  'hub-cache': ['hub', 'model', 'system'],
  tokenizer: ['system'],
  'chat-template': ['tokenizer', 'system'],
  backend: ['graph-passes', 'kernels', 'onnx-file', 'onnx-runtime', 'model', 'tokenizer', 'system'],
  grammar: ['drafting', 'tokenizer'],
  drafting: ['backend'],
  generation: ['sampling', 'grammar', 'drafting', 'backend', 'tokenizer'],
  scheduler: ['generation', 'backend'],
  scoring: ['generation', 'sampling', 'backend'],
  'prefix-cache': ['backend', 'system'],
  engine: [
    'scheduler',
    'scoring',
    'prefix-cache',
    'generation',
    'sampling',
    'grammar',
    'drafting',
    'backend',
    'tokenizer',
    'chat-template',
  ],
  output: ['engine', 'scoring', 'generation', 'grammar', 'sampling', 'system'],
  receipt: ['engine', 'backend', 'kernels', 'chat-template', 'model', 'system'],
  openai: ['engine', 'generation', 'chat-template', 'sampling'],
  batch: ['openai', 'engine', 'scoring', 'generation', 'system'],
  server: ['openai', 'engine', 'generation', 'chat-template'],
  worker: ['engine', 'generation', 'sampling', 'system'],
  open: [
    'drafting',
    'engine',
    'prefix-cache',
    'sampling',
    'grammar',
    'backend',
    'graph-passes',
    'onnx-file',
    'onnx-runtime',
    'tokenizer',
    'chat-template',
    'model',
    'hub',
    'hub-cache',
    'system',
  ],
  remote: ['engine', 'generation', 'sampling', 'hub', 'system'],
  'index.ts': [
    'open',
    'scoring',
    'engine',
    'prefix-cache',
    'generation',
    'grammar',
    'drafting',
    'sampling',
    'grammar',
    'backend',
    'onnx-runtime',
    'tokenizer',
    'chat-template',
    'hub-cache',
    'model',
  ],
  bench: [
    'drafting',
    'open',
    'output',
    'engine',
    'generation',
    'drafting',
    'sampling',
    'drafting',
    'backend',
    'tokenizer',
    'chat-template',
    'model',
    'hub-cache',
    'system',
  ],
  cli: [
    'batch',
    'server',
    'worker',
    'bench',
    'scoring',
    'open',
    'remote',
    'receipt',
    'output',
    'engine',
    'prefix-cache',
    'grammar',
    'sampling',
    'backend',
    'onnx-runtime',
    'chat-template',
    'model',
    'hub',
    'hub-cache',
    'system',
  ],
}

test('imports run in the directions of the house', () => {
  const wrong = imports.filter(
    ({ from, to, isPackage }) =>
      !isPackage &&
      !ANYWHERE.has(to) &&
      room(from) !== room(to) &&
      !MAY_IMPORT[room(from)]?.includes(room(to)),
  )
  expect(wrong).toEqual([])
})

test('every room has its directions, and they lead in no circle', () => {
  expect([...new Set(files.map(room))].sort()).toEqual(Object.keys(MAY_IMPORT).sort())
  const height = (name: string, path: readonly string[] = []): number => {
    expect(path).not.toContain(name)
    return 1 + Math.max(0, ...MAY_IMPORT[name]!.map((below) => height(below, [...path, name])))
  }
  for (const name of Object.keys(MAY_IMPORT)) expect(height(name)).toBeGreaterThan(0)
})

test('generation, scheduler and backend see only interfaces of backend, tokenizer and model', () => {
  const wrong = imports.filter(
    ({ from, to, isPackage }) =>
      !isPackage &&
      ['generation', 'scheduler', 'backend'].includes(room(from)) &&
      room(to) !== room(from) &&
      !ANYWHERE.has(to) &&
      !(room(from) === 'backend' && BELOW_BACKEND.has(room(to))) &&
      !(room(from) === 'scheduler' && room(to) === 'generation') &&
      !INTERFACES.has(to),
  )
  expect(wrong).toEqual([])
})

test('the backend is no room of everything: what it does not need to be one stands in rooms of its own', () => {
  const lines = files
    .filter((file) => room(file) === 'backend')
    .reduce((sum, file) => sum + readFileSync(join(SRC, file), 'utf8').split('\n').length - 1, 0)
  expect(lines).toBeLessThanOrEqual(MOST_BACKEND_LINES)
})

test('only the command line imports the command line', () => {
  expect(imports.filter(({ from, to }) => to.startsWith('cli/') && !from.startsWith('cli/'))).toEqual([])
})

test('the token loop and sampling know no file, socket, process or package', () => {
  const wrong = imports.filter(
    ({ from, isPackage }) => isPackage && (room(from) === 'generation' || room(from) === 'sampling'),
  )
  expect(wrong).toEqual([])
})

test('each package has one door', () => {
  const doors = new Map<string, Set<string>>()
  for (const { from, to, isPackage, isTypeOnly } of imports) {
    if (!isPackage || to.startsWith('node:') || isTypeOnly) continue
    doors.set(to, (doors.get(to) ?? new Set()).add(from.startsWith('cli/') ? 'cli' : from))
  }
  // Native libraries are spoken to where the runtime is, and where the operating system is.
  const isNative = (from: ReadonlySet<string>): boolean =>
    [...from].every((file) => /^(onnx-runtime|system)\//.test(file))
  const many = [...doors].filter(([name, from]) => from.size > 1 && !(name === 'koffi' && isNative(from)))
  expect(many.map(([name, from]) => [name, ...from])).toEqual([])
  for (const name of ['commander', 'chalk', 'ora']) expect([...(doors.get(name) ?? ['cli'])]).toEqual(['cli'])
})

test('neither files nor folders import in a circle, types included', () => {
  const folders = new Set(
    files.flatMap((file) => file.split('/').map((_, i, path) => path.slice(0, i).join('/'))),
  )
  const circles = [...folders].flatMap((folder) => circlesIn(folder))
  expect(circles).toEqual([])
})

/** Circles among the files and folders right below a folder. */
function circlesIn(folder: string): string[][] {
  const depth = folder === '' ? 0 : folder.split('/').length
  const childOf = (file: string): string | undefined =>
    folder === '' || file.startsWith(`${folder}/`)
      ? file
          .split('/')
          .slice(0, depth + 1)
          .join('/')
      : undefined
  const edges = new Map<string, Set<string>>()
  for (const { from, to, isPackage } of imports) {
    const [a, b] = isPackage ? [] : [childOf(from), childOf(to)]
    if (a === undefined || b === undefined || a === b) continue
    edges.set(a, (edges.get(a) ?? new Set()).add(b))
  }
  const circles: string[][] = []
  const done = new Set<string>()
  const visit = (name: string, path: readonly string[]): void => {
    if (path.includes(name)) circles.push([...path.slice(path.indexOf(name)), name])
    if (done.has(name)) return
    done.add(name)
    for (const next of edges.get(name) ?? []) visit(next, [...path, name])
  }
  for (const name of edges.keys()) visit(name, [])
  return circles
}

test('no file has a name that says nothing', () => {
  const empty = /(^|\/)(utils?|helpers?|common|misc|manager|types)(\/|\.ts$)/
  expect(files.filter((file) => empty.test(file))).toEqual([])
})
