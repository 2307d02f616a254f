/** Whoever can import a type can import every type that it names: the declarations of the built library, read from index.d.ts on. */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { ROOT } from './support/run-spout.ts'

const INDEX = join(ROOT, 'dist/index.d.ts')

interface Module {
  /** Text of what a file declares, by name. */
  readonly declared: ReadonlyMap<string, string>
  /** Where a name that it imports, or hands on, is declared, and as what. */
  readonly imported: ReadonlyMap<string, { readonly file: string; readonly name: string }>
}

const modules = new Map<string, Module>()

function readModule(file: string): Module {
  const known = modules.get(file)
  if (known !== undefined) return known
  const text = readFileSync(file, 'utf8').replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '')
  const statements = text.split(/^(?=(?:export|import|declare|interface|type|class)\b)/m)
  const declared = new Map(
    statements.flatMap((statement) => {
      const [, name] = DECLARATION.exec(statement) ?? []
      return name === undefined ? [] : [[name, statement] as const]
    }),
  )
  const module = { declared, imported: new Map(statements.flatMap((each) => importsOf(each, file))) }
  modules.set(file, module)
  return module
}

const DECLARATION =
  /^(?:export )?(?:declare )?(?:abstract )?(?:interface|type|class|function\*?|const|enum) (\w+)/
const NAMES = /^(?:import|export) (?:type )?\{([^}]*)\} from '(\.[^']+)'/

function importsOf(statement: string, file: string) {
  const [, names = '', from = ''] = NAMES.exec(statement) ?? []
  const target = join(dirname(file), from.replace(/\.ts$/, '.d.ts'))
  return names.split(',').flatMap((each) => {
    const [name, as = name] = each
      .trim()
      .replace(/^type /, '')
      .split(' as ')
    return name ? [[as!, { file: target, name }] as const] : []
  })
}

/** Where a name is declared, through all that hand it on. */
function declarationOf(file: string, name: string): string | undefined {
  const { declared, imported } = readModule(file)
  if (declared.has(name)) return `${file}#${name}`
  const from = imported.get(name)
  return from && existsSync(from.file) ? declarationOf(from.file, from.name) : undefined
}

/** Types that a declaration names, by where they are declared. */
function namedBy(place: string): string[] {
  const [file, name] = place.split('#') as [string, string]
  const { declared, imported } = readModule(file)
  const text = declared.get(name)!.replaceAll(/'[^']*'/g, '')
  const words = new Set(Array.from(text.matchAll(/[A-Za-z_]\w*/g), ([word]) => word))
  return [...words]
    .filter((word) => word !== name && (declared.has(word) || imported.has(word)))
    .filter((word) => /^[A-Z][a-z]/.test(word))
    .flatMap((word) => declarationOf(file, word) ?? [])
}

const exported = new Set([
  ...[...readModule(INDEX).imported.keys()].flatMap((name) => declarationOf(INDEX, name) ?? []),
  ...namespaces().flatMap((file) => [...readModule(file).declared.keys()].map((name) => `${file}#${name}`)),
])

/** Files of which the index exports all under one name. */
function namespaces(): string[] {
  const found = readFileSync(INDEX, 'utf8').matchAll(/^export \* as \w+ from '(.+)\.ts'/gm)
  return Array.from(found, ([, path]) => join(dirname(INDEX), `${path}.d.ts`))
}

test('the index exports what is declared', () => {
  expect(exported.size).toBeGreaterThan(40)
  for (const name of ['complete', 'openEngine', 'SpoutError', 'Engine', 'TokenSink', 'pull']) {
    expect([...exported].filter((place) => place.endsWith(`#${name}`))).toHaveLength(1)
  }
})

test('every type that an exported one names is exported', () => {
  const missing = [...exported].flatMap((place) =>
    namedBy(place)
      .filter((each) => !exported.has(each))
      .map((each) => `${each.slice(ROOT.length)} of ${place.split('#')[1]}`),
  )
  expect(missing).toEqual([])
})
