/** Which tests see a file: those in the mirrored place, and those that import it, directly or by others, the nearest first. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'

const IMPORT =
  /^(?:import|export)\b(?!\s+type\b)[^'"`;]*?from\s+'(\.[^']+)'|\bimport\(\s*'(\.[^']+)'|^import '(\.[^']+)'/gm
/** They look at the sources, not at what these do. */
const NOT_OF_BEHAVIOUR = /^test\/(architecture|docs|package|unused-exports)\.test\.ts$/
/** Where the built program is run: a fault in src/ does not change it. */
const OF_BUILT = 'test/support/run-spout.ts'

/**
 * @param {string} root of the project
 * @param {string} file below it: `src/sampling/sampler.ts`
 * @returns {string[]} test files by distance
 */
export function nearestTests(root, file) {
  const importers = importersIn(root)
  const distances = new Map([[file, 0]])
  for (const [name, distance] of distances) {
    for (const other of importers.get(name) ?? [])
      if (!distances.has(other)) distances.set(other, distance + 1)
  }
  const mirrored = file.replace(/^src/, 'test').replace(/\.ts$/, '')
  const reached = reachOf(importers)
  const tests = [...distances.keys()].filter((name) => {
    return name.endsWith('.test.ts') && !NOT_OF_BEHAVIOUR.test(name) && !reached(name).has(OF_BUILT)
  })
  const reach = new Map(tests.map((test) => [test, reached(test).size]))
  const rank = (test) => {
    const room = test.startsWith(`${mirrored}.`) ? -8 : test.startsWith(`${dirname(mirrored)}/`) ? -2 : 0
    return room + distances.get(test)
  }
  return tests.sort((a, b) => rank(a) - rank(b) || reach.get(a) - reach.get(b) || (a < b ? -1 : 1))
}

/** What a file imports, and all that this imports: the fewer files a test makes use of, the more it is about one. */
function reachOf(importers) {
  const imports = new Map()
  for (const [to, from] of importers)
    for (const each of from) imports.set(each, [...(imports.get(each) ?? []), to])
  return (file) => {
    const seen = new Set([file])
    for (const name of seen) for (const each of imports.get(name) ?? []) seen.add(each)
    return seen
  }
}

/** By file, which files import it. */
function importersIn(root) {
  const importers = new Map()
  const files = ['src', 'test'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map(
      (name) => `${folder}/${name.replaceAll('\\', '/')}`,
    ),
  )
  for (const from of files.filter((name) => name.endsWith('.ts'))) {
    for (const [, ...named] of readFileSync(join(root, from), 'utf8').matchAll(IMPORT)) {
      const to = relative(root, resolve(root, dirname(from), named.find(Boolean))).replaceAll('\\', '/')
      if (existsSync(join(root, to))) importers.set(to, [...(importers.get(to) ?? []), from])
    }
  }
  return importers
}
