/** However many lines there are, so much memory: in order into a file, and without order for a reader that is slow. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { Journal, openJournal } from '../../src/batch/journal.ts'
import { readLines } from '../../src/batch/line-reader.ts'
import { createOutputWriter } from '../../src/batch/output-format.ts'
import { openRecords } from '../../src/batch/records.ts'
import { type BatchOutput, runBatch } from '../../src/batch/run-batch.ts'
import { WHOLE } from '../../src/batch/shard.ts'
import { TaskReader } from '../../src/batch/tasks.ts'
import { SpoutError } from '../../src/errors.ts'
import { toyEngine } from '../support/batch.ts'

const MANY = Number(process.env.SPOUT_BATCH_MANY ?? 12_000)
setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** What is held, after a collection. */
function heldBytes(): number {
  collectGarbage()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

async function* manyLines(): AsyncGenerator<Uint8Array> {
  for (let from = 0; from < MANY; from += 500) {
    yield Buffer.from(Array.from({ length: 500 }, (_, i) => `Line ${from + i}\n`).join(''))
  }
}

/** Runs all lines, and gives what was held after a tenth of them, and after each further tenth. */
async function heldDuring(
  output: BatchOutput,
  { ordered = true }: { ordered?: boolean } = {},
): Promise<number[]> {
  const held: number[] = []
  let done = 0
  const { records } = await openRecords(readLines(manyLines()), 'lines')
  const writer = createOutputWriter({
    format: 'json',
    withInput: true,
    header: undefined,
    model: () => 'toy',
    created: 0,
  })
  const end = await runBatch({
    records,
    reader: new TaskReader(
      { format: 'lines', header: undefined },
      { defaults: {}, template: undefined, before: undefined, runSeed: 0n, seedByLine: false },
    ),
    shard: WHOLE,
    write: writer.write,
    output,
    ordered,
    parallel: 16,
    maxErrors: undefined,
    // It keeps what it was asked, for other tests: a new one now and then.
    openEngine: async () => ({
      generate: (request, io) =>
        toyEngine({ delay: ({ text }) => (text.endsWith('7') ? 5 : 0) }).generate(request, io),
    }),
    io: {
      signal: new AbortController().signal,
      think: 'show',
      asSpoutError: (cause) => new SpoutError('internal', String(cause)),
    },
    observer: {
      kept: () => undefined,
      done: () => void (++done % (MANY / 10) === 0 && held.push(heldBytes())),
    },
  })
  expect(end!.records).toBe(MANY)
  if (output instanceof Journal) output.finish(end!.records, end!.mark)
  return held
}

/** The answers that are remembered fill up first, 4,000 of these: what comes after that counts. */
function expectFlat(held: readonly number[]): void {
  expect(held).toHaveLength(10)
  // The last six tenths of 12,000 lines, at a hundred bytes a line in and twice as many out, would be 2 MB.
  expect(held[9]! - held[3]!).toBeLessThan(1_500_000)
}

test('as they are finished, to a reader that is slow', async () => {
  let written = 0
  const write = (): Promise<void> | undefined =>
    written++ % 16 === 0 ? new Promise(setImmediate) : undefined
  expectFlat(await heldDuring({ write }, { ordered: false }))
}, 600_000)

test('into a file, in order', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'spout-batch-'))
  const path = join(folder, 'out')
  const options = {
    path,
    name: path,
    settings: {},
    head: '',
    ordered: true,
    fresh: false,
    retryErrors: false,
  }
  const journal = openJournal(options) as Journal
  try {
    expectFlat(await heldDuring(journal))
    const indexes = readFileSync(path, 'utf8')
      .split('\n')
      .slice(0, -1)
      .map((line) => Number(/\d+/.exec(line)))
    expect(indexes).toEqual(Array.from({ length: MANY }, (_, i) => i))
  } finally {
    journal.close()
    rmSync(folder, { recursive: true })
  }
}, 600_000)
