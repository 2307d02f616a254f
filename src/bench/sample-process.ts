/** A process that measures one request of one arm: the job on stdin, the answer on stdout, both JSON. */
import { readFileSync, writeSync } from 'node:fs'
import { countAllocation } from './allocation.ts'
import { figuresOf } from './figures.ts'
import type { ProcessAnswer, ProcessJob } from './fresh-process.ts'
import { ModelShelf } from './model-shelf.ts'
import { openArm } from './open-arm.ts'

async function answer({ spec, task }: ProcessJob): Promise<ProcessAnswer> {
  const hooks = {}
  const shelf = new ModelShelf(hooks)
  const arm = await openArm(spec, { task, shelf, hooks })
  const loadedAt = performance.now()
  const allocation = countAllocation()
  const record = await arm.run({ tokens: task.tokens })
  const allocatedBytes = allocation.stop()
  const peakRssBytes = 1024 * process.resourceUsage().maxRSS
  await arm.dispose()
  await shelf.dispose()
  const figures = figuresOf(record, { loadMs: loadedAt, peakRssBytes, allocatedBytes })
  const ttftMs = record.firstTextMs === undefined ? null : loadedAt + record.firstTextMs
  const { user, system } = process.cpuUsage()
  return { figures: { ...figures, ttftMs }, ids: record.ids, cpuMs: (user + system) / 1000 }
}

async function main(): Promise<void> {
  let said: ProcessAnswer
  try {
    said = await answer(JSON.parse(readFileSync(0, 'utf8')))
  } catch (error) {
    said = { error: (error as Error).message }
    process.exitCode = 1
  }
  writeSync(1, `${JSON.stringify(said)}\n`)
}

await main()
