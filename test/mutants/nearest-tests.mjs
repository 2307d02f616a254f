/** Which tests see a file: those in the mirrored place, and those that import it, directly or by others, the nearest first. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'

const IMPORT =
  /^(?:import|export)\b(?!\s+type\b)[^'"`;]*?from\s+'(\.[^']+)'|\bimport\(\s*'(\.[^']+)'|^import '(\.[^']+)'/gm
/** They look at the sources, not at what these do. */
const NOT_OF_BEHAVIOUR = /^test\/(architecture|docs|package|unused-exports)\.test\.ts$/
/** Runs dist/, which a mutant of src/ does not change. */
const OF_BUILT = /support\/(run-spout|terminal|tmux|bench-run)\.ts$/

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
  const tests = [...distances.keys()].filter(
    (name) => name.endsWith('.test.ts') && !NOT_OF_BEHAVIOUR.test(name),
  )
  const reach = reachOf(tests, importers)
  const rank = (test) => {
    const room = test.startsWith(`${mirrored}.`) ? -8 : test.startsWith(`${dirname(mirrored)}/`) ? -2 : 0
    return room + distances.get(test)
  }
  return tests.sort((a, b) => rank(a) - rank(b) || reach.get(a) - reach.get(b) || (a < b ? -1 : 1))
}

/** Of how many files each test makes use: the fewer, the more it is about this one. */
function reachOf(tests, importers) {
  const imports = new Map()
  for (const [to, from] of importers)
    for (const each of from) imports.set(each, [...(imports.get(each) ?? []), to])
  return new Map(
    tests.map((test) => {
      const seen = new Set([test])
      for (const name of seen) for (const each of imports.get(name) ?? []) seen.add(each)
      return [test, seen.size]
    }),
  )
}

/** By file, which files import it; those that start the built program do not count. */
function importersIn(root) {
  const importers = new Map()
  const files = ['src', 'test'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map(
      (name) => `${folder}/${name.replaceAll('\\', '/')}`,
    ),
  )
  for (const from of files.filter((name) => name.endsWith('.ts'))) {
    if (OF_BUILT.test(from)) continue
    for (const [, ...named] of readFileSync(join(root, from), 'utf8').matchAll(IMPORT)) {
      const to = relative(root, resolve(root, dirname(from), named.find(Boolean))).replaceAll('\\', '/')
      if (existsSync(join(root, to))) importers.set(to, [...(importers.get(to) ?? []), from])
    }
  }
  return importers
}
