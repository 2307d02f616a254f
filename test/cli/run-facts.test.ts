/** What runs, and how it chooses, is said in many places: the same in all of them. */
import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runHere } from '../support/run-here.ts'
import { HOME, ROOT } from '../support/run-spout.ts'
import { removeToys, toyModel } from '../support/toy-model.ts'

const EMBEDDED = join(ROOT, 'fixtures/models/spout-tiny')
const toy = toyModel({ scripts: { a: ['Hello'] } })
afterAll(removeToys)

/** The line that begins with a word. */
function line(text: string, word: string): string | undefined {
  return new RegExp(`^(?:spout: )?${word} *(.*)$`, 'm').exec(text)?.[1]
}

const PREPARED = { SPOUT_CACHE_DIR: mkdtempSync(join(HOME, 'prepared-')), SPOUT_NO_PREPARE: '' }
const ways: readonly [string, { model: string; flags?: string[]; env?: NodeJS.ProcessEnv; runs: object }][] =
  [
    ['own kernels', { model: EMBEDDED, runs: { prepared: false, kernels: { matmul: 'own' } } }],
    [
      "ONNX Runtime's kernels because a variable says so",
      {
        model: EMBEDDED,
        env: { SPOUT_ISA: 'none' },
        runs: { kernels: { matmul: 'onnxruntime', isa: null, why: expect.stringContaining('SPOUT_ISA') } },
      },
    ],
    ['a prepared model', { model: EMBEDDED, env: PREPARED, runs: { prepared: true } }],
    ['another binding', { model: EMBEDDED, flags: ['--runtime', 'node'], runs: { runtime: 'node' } }],
    [
      'exact matmuls',
      { model: EMBEDDED, flags: ['--precise'], runs: { kernels: { matmul: 'onnxruntime' } } },
    ],
    ['a model without matmuls', { model: toy, flags: ['--threads', '1'], runs: { threads: 1 } }],
  ]

describe('what runs', () => {
  beforeAll(async () => {
    await runHere(['models', 'prepare', EMBEDDED], { env: PREPARED })
  })

  test.each(ways)('%s: the same of a run, of a dry run, and with -v and --stats', async (_, way) => {
    const { model, flags = [], env = {}, runs } = way
    const argv = [
      '-m',
      model,
      '--no-stdin',
      ...flags,
      '-n',
      '2',
      '--top-k',
      '3',
      '-t',
      '0.5',
      '--seed',
      '7',
      'a',
    ]
    const [said, { stdout: planned }] = await Promise.all([
      runHere([...argv, '--json', '-v', '--stats'], { env }),
      runHere([...argv, '--dry-run', '--json'], { env }),
    ])
    const [run, dry] = [said.stdout, planned].map((text) => JSON.parse(text))
    expect(run.runs).toMatchObject(runs)
    expect(run.sampling).toMatchObject({ temperature: 0.5, top_k: 3, eta: 0, logit_bias: {} })
    for (const field of ['runs', 'template', 'sampling', 'seed']) expect(dry[field]).toEqual(run[field])
    const [text] = /^spout: runs: .* \(\w+\), (.*)$/m.exec(said.stderr)!.slice(1)
    expect(line(said.stderr, 'runs +')).toBe(text)
    expect(line(said.stderr, 'sampling:')).toBe(`${line(said.stderr, 'sampling +')}; seed 7`)
  })

  test('a dry run and models show say it in the same words', async () => {
    const argv = ['-m', EMBEDDED, '--no-stdin', '--seed', '7', 'a']
    const [said, dry, shown] = await Promise.all([
      runHere([...argv, '-n', '1', '--stats']),
      runHere([...argv, '--dry-run']),
      runHere(['models', 'show', EMBEDDED]),
    ])
    for (const word of ['runs', 'template', 'sampling', 'seed']) {
      expect(line(dry.stdout, `${word} +`)).toBe(line(said.stderr, `${word} +`))
    }
    expect(line(shown.stdout, 'runs: +')).toBe(`q4, ${line(said.stderr, 'runs +')}`)
    expect(line(shown.stdout, 'sampling: +')).toBe(line(said.stderr, 'sampling +'))
  })

  test.each([{}, PREPARED, { SPOUT_THREADS: '1', SPOUT_RUNTIME: 'node' }])(
    'models show: as a run without flags would be, with %j',
    async (env) => {
      const [run, shown] = await Promise.all([
        runHere(['-m', EMBEDDED, '--no-stdin', '-n', '1', '--json', 'a'], { env }),
        runHere(['models', 'show', '--json', EMBEDDED], { env }),
      ])
      const [ran, [told]] = [run, shown].map(({ stdout }) => JSON.parse(stdout))
      for (const field of ['dtype', 'runs', 'sampling']) expect(told[field]).toEqual(ran[field])
    },
  )

  test('a run whose seed is drawn says which; a dry run that it will be', async () => {
    const argv = ['-m', toy, '--no-stdin', 'a']
    expect(JSON.parse((await runHere([...argv, '--dry-run', '--json'])).stdout).seed).toBeNull()
    const { stdout } = await runHere([...argv, '--jsonl'])
    const end = JSON.parse(stdout.trim().split('\n').at(-1)!)
    expect(end).toMatchObject({ event: 'end', runs: { runtime: 'c-api' }, template: 'none' })
    expect(end.seed).toMatch(/^\d+$/)
  })
})
