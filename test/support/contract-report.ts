/**
 * Checks at the end of a whole run of the tests that each line of docs/contract.md was proved: a test that names it ran and
 * passed; and that each option was given to the built program, which took it.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Reporter, TestModule, Vitest } from 'vitest/node'
import { FLAGS, longName } from '../../src/cli/flags.ts'

export default class ContractReport implements Reporter {
  #vitest: Vitest | undefined
  readonly #folder = mkdtempSync(join(tmpdir(), 'spout-contract-'))
  readonly #flags = join(this.#folder, 'flags')

  onInit(vitest: Vitest): void {
    this.#vitest = vitest
    // The processes of the tests inherit it.
    process.env.SPOUT_TEST_FLAGS = this.#flags
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    const vitest = this.#vitest!
    if (isWhole(modules, vitest)) this.#report(modules)
    rmSync(this.#folder, { recursive: true, force: true })
  }

  #report(modules: readonly TestModule[]): void {
    const { passed, skipped } = namesIn(modules)
    const given = new Set(existsSync(this.#flags) ? readFileSync(this.#flags, 'utf8').split('\n') : [])
    const unproved = promises(readFileSync('docs/contract.md', 'utf8')).filter((name) => !passed.has(name))
    const [here, nowhere] = [
      unproved.filter((name) => skipped.has(name)),
      unproved.filter((name) => !skipped.has(name)),
    ]
    const unused = FLAGS.map(longName).filter((name) => !given.has(name))
    if (here.length > 0)
      this.#vitest!.logger.log(`not proved here, for tests were skipped: ${here.join(', ')}`)
    if (nowhere.length > 0) this.#fail(`docs/contract.md: no test that passed proves ${nowhere.join(', ')}`)
    if (unused.length > 0) this.#fail(`no test gave the program, without being refused: ${unused.join(', ')}`)
  }

  #fail(why: string): void {
    this.#vitest!.logger.error(why)
    process.exitCode = 1
  }
}

function isWhole(modules: readonly TestModule[], vitest: Vitest): boolean {
  const ran = new Set(modules.map(({ moduleId }) => moduleId))
  const files = readdirSync('test/cli').filter((name) => name.endsWith('.test.ts'))
  const isFiltered = vitest.getGlobalTestNamePattern() !== undefined
  return !isFiltered && files.every((name) => ran.has(join(vitest.config.root, 'test/cli', name)))
}

export function promises(contract: string): string[] {
  return Array.from(contract.matchAll(/^- `([^`]+)`:/gm), ([, name]) => name!)
}

/** Names of promises in titles, `[exit.2 A1] …`, of tests that passed and of those that were skipped. */
function namesIn(modules: readonly TestModule[]) {
  const names = { passed: new Set<string>(), skipped: new Set<string>() }
  for (const module of modules) {
    for (const test of module.children.allTests()) {
      const { state } = test.result()
      if (state !== 'passed' && state !== 'skipped') continue
      for (const [, list] of test.fullName.matchAll(/\[([^\]]+)\]/g)) {
        for (const name of list!.split(' ')) names[state].add(name)
      }
    }
  }
  return names
}
