/** `--bench` by the built program. */
import type { ChildProcess } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { errorLines, testRows } from '../support/cli-rows.ts'
import { HOME, type RunResult, runSpout } from '../support/run-spout.ts'
import { hasTerminal, onTerminal } from '../support/terminal.ts'
import { ENDLESS, FAIL, NAN, removeToys, type Step, TOY_TEMPLATE, toyModel } from '../support/toy-model.ts'

const scripts: Readonly<Record<string, readonly Step[]>> = {
  d: ['round ', 'about '],
  n: ['so ', 'far ', NAN],
  f: ['that ', 'far, ', FAIL],
}
const toy = toyModel({ scripts })
const toyChat = toyModel({ scripts, chatTemplate: TOY_TEMPLATE })
/** Takes many times as long. */
const slow = toyModel({ scripts, rounds: 500 })
afterAll(removeToys)

const scratch = mkdtempSync(join(HOME, 'bench-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))
const inScratch = (name: string): string => join(scratch, name)

const bench = (model: string, ...argv: string[]): string[] => [
  ...['--bench', 'd', '-m', model, '-n', '3', '--threads', '1'],
  ...(argv.includes('--bench-pairs') ? [] : ['--bench-pairs', '10']),
  ...argv,
]
const twice = ['--bench-arm', 'a=', '--bench-arm', 'b=']

testRows([
  {
    proves: ['bench.usage', 'exit.2'],
    what: 'a flag of --bench without it',
    argv: ['x', '--fail-if-slower', '3%'],
    code: 2,
    stderr: errorLines('--fail-if-slower: needs --bench'),
  },
  {
    proves: ['bench.usage', 'exit.2'],
    what: 'a file where a format is due',
    argv: ['--bench', '-o', 'file.txt'],
    code: 2,
    stderr: errorLines('--output: with --bench it is one of md, json, csv, benchstat'),
  },
  {
    proves: ['bench.save', 'exit.66'],
    what: 'samples to compare with that are not there',
    argv: bench(toy, '--bench-against', inScratch('none.jsonl')),
    code: 66,
    stderr: errorLines(`${inScratch('none.jsonl')}: not found`),
  },
  {
    proves: ['bench.arms'],
    what: 'an arm whose model is not there ends the run before anything is measured',
    argv: bench(toy, '--bench-arm', 'gone=-m some/model'),
    code: 66,
    stderr: /^spout: error: arm gone: some\/model: [^\n]+\nspout: hint: /,
  },
  {
    proves: ['bench.failed', 'exit.1', 'G12'],
    what: 'an arm that fails is a failed run, and stdout has no average without it',
    argv: ['--bench', 'f', '-m', toy, '-n', '5', '--bench-arms', 'log-lines'],
    code: 1,
    stderr: /^spout: error: bench: arm product: .+\nspout: hint: .+\n$/,
  },
  {
    proves: ['bench.failed', 'exit.1'],
    what: 'logits that are not finite fail the run',
    argv: ['--bench', 'n', '-m', toy, '-n', '5', '--bench-arms', 'log-lines'],
    code: 1,
    stderr: /^spout: error: bench: arm product: .+\nspout: hint: .+\n$/,
  },
  {
    proves: ['bench.usage', 'exit.65'],
    what: 'more tokens than the context holds',
    argv: ['--bench', 'd', '-m', toy, '-n', '5000', '--bench-arms', 'node'],
    code: 65,
    stderr:
      /^spout: error: arm product: bench: prompt and tokens are 5001, the context holds 4096\nspout: hint: .+\n$/,
  },
])

describe.concurrent('--bench', () => {
  test('[bench.speed] alone, it says first how fast the model is here', async () => {
    const shell = 'spout --bench "$@" | head -n 9'
    const { stdout } = await runSpout(['d', '-m', toy, '--threads', '1'], { shell })
    expect(stdout).toMatch(/^.* \(fp32\): .*, 1 thread, /)
    for (const name of ['prefill of 128', 'prefill of 1024', 'decode after 128', 'decode after 1024']) {
      expect(stdout).toMatch(new RegExp(`^\\| ${name} tokens \\| [\\d.]+ tokens/s \\|$`, 'm'))
    }
    expect(stdout).toMatch(/^\| first byte of a fresh process \| [\d.]+ m?s \|$/m)
  })

  test('[bench.arms] arms of the history, one report on stdout', async () => {
    const result = await run(bench(toy, '-o', 'json', '--bench-arms', 'log-lines,all'))
    const { ended, comparisons, noise, environment, samples } = JSON.parse(result.stdout)
    expect([ended, result.stderr, result.code]).toEqual(['complete', '', 0])
    expect(comparisons.map(({ arm }: { arm: string }) => arm)).toEqual(['log-lines', 'all'])
    for (const { pairs, ids, verdictText } of comparisons) {
      expect([pairs.length, ids]).toEqual([10, { how: 'same' }])
      expect(verdictText).toMatch(
        /^(faster|slower) by|^no difference larger than|^inconclusive: about \d+ more/,
      )
    }
    expect([noise.count, samples.length]).toEqual([10, 60])
    expect(environment.arms[0].model.sha256).toMatch(/^[0-9a-f]{64}$/)
    expect(environment).toMatchObject({
      node: process.version,
      onnxRuntime: expect.stringMatching(/^\d+\.\d+\.\d+$/),
    })
  })

  test('[bench.arms] settings of one’s own; arms that write something else say where', async () => {
    const other = toyModel({ scripts: { d: ['round ', 'x'] } })
    const result = await run(
      bench(toy, '--bench-arm', 'here=', '--bench-arm', `there=-m '${other}' --runtime node`),
    )
    expect(result.stdout).toMatch(/^\| there \| here \| 10.* differ from token 2 on \|$/m)
    expect(result.stdout).toContain(`- there: -m '${other}' --runtime node`)
  })

  test('[bench.save bench.fail-if-slower exit.1] samples are saved as they are taken; against them is labelled and judged', async () => {
    const file = inScratch('saved.jsonl')
    await run(bench(toy, '--bench-arm', 'a=', '--bench-save', file))
    expect(lines(file).length).toBe(1 + 40)
    const against = (path: string): Promise<RunResult> =>
      run(bench(toy, '--bench-arm', 'a=', '--bench-against', path, '--fail-if-slower', '50%'))
    const [sooner, later] = await Promise.all([against(scaled(file, 1000)), against(scaled(file, 1 / 1000))])
    expect([sooner!.stderr, sooner!.code]).toEqual(['', 0])
    expect(sooner!.stdout).toMatch(
      /^Not interleaved: [\s\S]*^\| a \| .* faster by (9\d|100)\.\d % \| {2}\|$/m,
    )
    expect(later!.code).toBe(1)
    expect(later!.stdout).toMatch(/^\| a \| .* slower by \d+\.\d % \| {2}\|$/m)
    expect(later!.stderr).toMatch(
      /^spout: error: slower than --fail-if-slower allows: product than before by .+, a than/,
    )
  })

  test('[bench.interrupt exit.signal] Ctrl-C: what was measured, labelled incomplete, then death by the signal', async () => {
    const file = inScratch('interrupted.jsonl')
    const onStart = (child: ChildProcess): void => void whenLines(file, 9).then(() => child.kill('SIGINT'))
    const result = await run(bench(slow, '--bench-pairs', '1000', ...twice, '--bench-save', file), {
      onStart,
    })
    expect(result.signal).toBe('SIGINT')
    expect(result.stderr).toBe('')
    expect(result.stdout).toMatch(/^# spout --bench \(incomplete: interrupted; pair \d+ of 1000\)\n/)
    expect(result.stdout).toMatch(/^\| b \| a \| \d+ /m)
    expect(lines(file).length).toBeGreaterThanOrEqual(9)
  })

  test('[bench.interrupt exit.signal] Ctrl-C inside an endless run, with nothing measured yet', async () => {
    const onStart = (child: ChildProcess): void => void setTimeout(() => child.kill('SIGINT'), 1500)
    const argv = ['--bench', `d${ENDLESS}`, '-m', toy, '--bench-arms', 'log-lines']
    const { signal, stdout, stderr } = await run(argv, { onStart })
    expect({ signal, stdout, stderr }).toEqual({ signal: 'SIGINT', stdout: '', stderr: '' })
  })

  test('[bench.process bench.failed] fresh processes; an arm that fails later keeps what was measured, and is exit 1', async () => {
    const copy = inScratch('copy')
    cpSync(toyChat, copy, { recursive: true })
    const file = inScratch('fresh.jsonl')
    const onStart = (): void =>
      void whenLines(file, 6).then(() => rmSync(join(copy, 'onnx'), { recursive: true }))
    const fresh = [
      '--bench-process',
      '--bench-arm',
      'a=',
      '--bench-arm',
      `b=-m ${copy}`,
      '--bench-save',
      file,
    ]
    const { code, stdout, stderr } = await run(bench(toyChat, '-o', 'json', ...fresh), { onStart })
    expect(code).toBe(1)
    expect(stderr).toMatch(
      /^spout: error: bench: arm b: .+\nspout: hint: what was measured before is kept\n$/,
    )
    const { ended, error, samples } = JSON.parse(stdout)
    expect([ended, error]).toEqual(['failed', expect.stringMatching(/^arm b: /)])
    expect(samples.length).toBeGreaterThanOrEqual(5)
    const { figures } = samples[0]
    expect(figures.requestMs).toBeGreaterThan(figures.loadMs)
    expect(figures.ttftMs).toBeGreaterThan(figures.loadMs)
    expect(figures.peakRssBytes).toBeGreaterThan(2 ** 24)
  })

  test('[bench.plot] the picture is written beside the report', async () => {
    const file = inScratch('plot.svg')
    writeFileSync(file, '<svg old><rect class="page"/>')
    const other = inScratch('notes.txt')
    writeFileSync(other, 'old')
    const refused = await run(bench(toy, ...twice, '--bench-plot', other))
    expect(refused.stderr).toContain(`${other}: there is another file, which is no plot`)
    expect([refused.code, readFileSync(other, 'utf8')]).toEqual([74, 'old'])
    const { stdout } = await run(bench(toy, ...twice, '--bench-plot', file, '-o', 'csv'))
    expect(stdout.split('\n')[0]).toContain('request_ms')
    expect(readFileSync(file, 'utf8')).toMatch(/^<svg [\s\S]*<\/svg>\n$/)
  })

  test('[bench.timeout exit.124] --timeout ends it as a signal would', async () => {
    const result = await run(bench(slow, '--bench-pairs', '1000', ...twice, '--timeout', '3'))
    expect(result.code).toBe(124)
    // On a machine that is very busy nothing was measured yet.
    expect(result.stdout).toMatch(/^$|incomplete: interrupted/)
  })

  test.skipIf(!hasTerminal)(
    '[bench.progress] progress is on a terminal only (needs script of util-linux)',
    async () => {
      const { screen } = await onTerminal(
        `spout ${bench(toy, ...twice).join(' ')} 2>&1 > ${inScratch('report.md')}`,
      )
      expect(screen).toMatch(/pair \d+ of 20/)
      expect(readFileSync(inScratch('report.md'), 'utf8')).toMatch(/^# spout --bench\n/)
    },
  )
})

function run(argv: readonly string[], options: Parameters<typeof runSpout>[1] = {}): Promise<RunResult> {
  return runSpout(argv, options)
}

/** The samples of a file, all longer or shorter, in a file of their own. */
function scaled(file: string, factor: number): string {
  const path = `${file}.${factor}`
  const scale = (time: string): string => `"requestMs":${factor * Number(time)}`
  writeFileSync(
    path,
    readFileSync(file, 'utf8').replaceAll(/"requestMs":([\d.]+)/g, (_, time) => scale(time)),
  )
  return path
}

function lines(file: string): string[] {
  return existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n') : []
}

async function whenLines(file: string, count: number): Promise<void> {
  while (lines(file).length < count) await new Promise((resolve) => setTimeout(resolve, 20))
}
