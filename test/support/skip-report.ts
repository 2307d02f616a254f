/**
 * Ends a run of the tests with a line of what was skipped, by what it needs: `12 tests skipped: 8 need ../shared/data, 4 need strace`.
 * A test that may be skipped says so in its title, or in that of a suite around it: `(needs WHAT)`. A test of kernels has no such
 * need, for an interpreter runs them anywhere: one that is skipped fails the run, and so does one that does not say why.
 */
import { relative } from 'node:path'
import type { Reporter, TestCase, TestModule, Vitest } from 'vitest/node'

const NEED = /\(needs ([^)]+)\)/
const NO_REASON = 'say not why'
const IS_KERNEL_TEST = /^test\/kernels\//

export default class SkipReport implements Reporter {
  #vitest: Vitest | undefined

  onInit(vitest: Vitest): void {
    this.#vitest = vitest
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    const vitest = this.#vitest!
    // Tests chosen by title leave the others out: that says nothing.
    if (vitest.getGlobalTestNamePattern() !== undefined) return
    const skipped = modules.flatMap((module) => [...module.children.allTests('skipped')])
    const isChosen = modules.some((module) =>
      [...module.children.allTests()].some(({ options }) => options.mode === 'only'),
    )
    if (skipped.length === 0 || isChosen) return
    vitest.logger.log(summary(skipped.map(reasonOf)))
    for (const test of skipped) {
      const file = relative(vitest.config.root, test.module.moduleId).replaceAll('\\', '/')
      const isWrong = IS_KERNEL_TEST.test(file) || reasonOf(test) === NO_REASON
      if (!isWrong) continue
      vitest.logger.error(`must not be skipped: ${file} > ${test.fullName}`)
      process.exitCode = 1
    }
  }
}

/** A note that the test gave, or what its title or one around it says. */
function reasonOf(test: TestCase): string {
  const result = test.result()
  const note = result.state === 'skipped' ? result.note : undefined
  if (note !== undefined) return note
  const needs = NEED.exec(test.fullName)?.[1]
  return needs === undefined ? NO_REASON : `need ${needs}`
}

/** The most frequent reason first. */
export function summary(reasons: readonly string[]): string {
  const counts = new Map<string, number>()
  for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1)
  const parts = [...counts].sort(([, a], [, b]) => b - a).map(([reason, count]) => `${count} ${reason}`)
  return `${reasons.length} ${reasons.length === 1 ? 'test' : 'tests'} skipped: ${parts.join(', ')}`
}
