/**
 * A value that a file exports, another file uses: one that only its own file needs is not exported, and one that only tests need is
 * gone. Types that tell of what is exported may be exported with it.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { parseAst } from 'rolldown/parseAst'
import { expect, test } from 'vitest'

const ROOT = resolve(import.meta.dirname, '..')
/** What is used from outside: by those who import the package, or run it. */
const ENTRIES = new Set(['src/index.ts', 'src/cli/start.ts', 'src/cli/main.ts'])

interface Node {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly [name: string]: unknown
}

interface Module {
  readonly file: string
  readonly text: string
  readonly body: readonly Node[]
}

function modulesIn(folder: string): Module[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .map((name) => `${folder}/${name.replaceAll('\\', '/')}`)
    .filter((file) => /\.(ts|mjs)$/.test(file) && !file.includes('/node_modules/'))
    .map((file) => {
      const text = readFileSync(join(ROOT, file), 'utf8')
      const { body } = parseAst(text, { lang: 'ts' }) as unknown as { body: Node[] }
      return { file, text, body }
    })
}

const nameOf = (node: unknown): string =>
  (node as { name?: string; value?: string }).name ?? (node as { value: string }).value

/** Names of values that a file declares and exports. */
function exportsOf({ body }: Module): string[] {
  return body.flatMap((node) => {
    if (node.type !== 'ExportNamedDeclaration' || node.source !== null || node.exportKind === 'type')
      return []
    const declaration = node.declaration as Node | null
    if (declaration === null) return (node.specifiers as Node[]).map(({ exported }) => nameOf(exported))
    const declared = declaration.declarations as { id: Node }[] | undefined
    return (declared ?? [declaration as unknown as { id: Node }]).flatMap(({ id }) => namesIn(id))
  })
}

function namesIn(pattern: Node): string[] {
  if (pattern.type === 'ArrayPattern') return (pattern.elements as Node[]).filter(Boolean).flatMap(namesIn)
  if (pattern.type === 'ObjectPattern')
    return (pattern.properties as { value: Node }[]).flatMap(({ value }) => namesIn(value))
  return [nameOf(pattern)]
}

/** `file name` of what a file takes of others; `file *` of a whole one. */
function importsOf({ file, text, body }: Module): string[] {
  const fileOf = (from: string): string =>
    relative(
      ROOT,
      resolve(ROOT, dirname(file), from.replace(/\.\.\/dist\/(.*)\.js$/, '../src/$1.ts')),
    ).replaceAll('\\', '/')
  const static_ = body.flatMap((node) => {
    const source = node.source as { value: string } | null | undefined
    if (!source?.value.startsWith('.')) return []
    const from = fileOf(source.value)
    const specifiers = (node.specifiers as Node[] | undefined) ?? []
    if (node.type === 'ExportAllDeclaration') return [`${from} *`]
    return specifiers.map((each) =>
      each.type === 'ImportNamespaceSpecifier'
        ? `${from} *`
        : `${from} ${nameOf(each.imported ?? each.local)}`,
    )
  })
  const lazy = Array.from(text.matchAll(/\bimport\(\s*'(\.[^']+)'/g), ([, from]) => `${fileOf(from!)} *`)
  return [...static_, ...lazy]
}

const source = modulesIn('src')
const others = ['test', 'docs/make', 'fixtures/make'].flatMap(modulesIn)
const taken = new Set(source.flatMap(importsOf))
const tested = new Set(others.flatMap(importsOf))
const exported = source
  .filter(({ file }) => !ENTRIES.has(file))
  .flatMap((module) => exportsOf(module).map((name) => ({ module, name })))
  .filter(({ module: { file }, name }) => !taken.has(`${file} ${name}`) && !taken.has(`${file} *`))
const usesInside = ({ text }: Module, name: string): number =>
  [...text.matchAll(new RegExp(`(?<![\\w$.#])${name.replaceAll('$', '\\$')}(?![\\w$])`, 'g'))].length - 1

/** Defined for tests: kernels are compared with these to the last bit. */
const isDefinition = (file: string): boolean => file.startsWith('src/kernels/numerics/')
/** Rooms in the making, whose parts wait for each other. */
const IN_THE_MAKING = /^src\/(batch|drafting|grammar|prefix-cache|scheduler)\/|^src\/backend\/kv\.ts /
const shown = (list: typeof exported): string[] =>
  list.map(({ module: { file }, name }) => `${file} ${name}`).filter((each) => !IN_THE_MAKING.test(each))

test('what is exported is used by another file', () => {
  const text = others.map((module) => module.text).join('\n')
  const unused = exported.filter(({ module: { file }, name }) => {
    const isRun = text.includes(file.replace('src/', 'dist/').replace('.ts', '.js'))
    return !isRun && !tested.has(`${file} ${name}`) && !tested.has(`${file} *`)
  })
  expect(shown(unused)).toEqual([])
})

test('what only tests use is gone', () => {
  const onlyTested = exported.filter(
    ({ module, name }) => usesInside(module, name) === 0 && !isDefinition(module.file),
  )
  expect(shown(onlyTested)).toEqual([])
})
