/** `spout batch`, as a shell runs it. */
import { type ChildProcess, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { BATCH_FLAGS } from '../../src/cli/batch-flags.ts'
import { FLAGS, longName } from '../../src/cli/flags.ts'
import { errorLines, testRows } from '../support/cli-rows.ts'
import { runHere } from '../support/run-here.ts'
import { HOME, type RunResult, said } from '../support/run-spout.ts'
import { EOS, removeToys, type Step, TOY_TEMPLATE, toyModel } from '../support/toy-model.ts'

const scripts: Record<string, Step[]> = {
  a: ['Hello', ', ', 'world', EOS],
  b: ['two\n', 'lines', EOS],
  d: ['round ', 'about '],
}
const toy = toyModel({ scripts, contextLength: 64 })
/** Its steps take some hundredths of a second, and after `d` it goes round and round. */
const slow = toyModel({ scripts, rounds: 100_000 })
const thinking = toyModel({
  scripts: { '?': ['<thi', 'nk>\nhm', ' so</thi', 'nk>\n\ny', 'es', EOS] },
  chatTemplate: `${TOY_TEMPLATE}{# <think> #}`,
})
afterAll(removeToys)
const folder = mkdtempSync(join(HOME, 'batch-'))
const on = (model: string, ...argv: string[]): string[] => ['batch', '-m', model, ...argv]
let files = 0
const newFile = (content?: string | Uint8Array, ending = ''): string => {
  const path = join(folder, `f${files++}${ending}`)
  if (content !== undefined) writeFileSync(path, content)
  return path
}
const usage = (prompt: number, completion: number) => ({
  prompt_tokens: prompt,
  completion_tokens: completion,
  total_tokens: prompt + completion,
})
const json = (value: object): string => `${JSON.stringify(value)}\n`
const values = (text: string) =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))

describe.concurrent('what goes in and what comes out', () => {
  testRows([
    {
      proves: ['batch.input', 'batch.output'],
      what: 'plain lines: a JSON line for each, blank ones left out',
      argv: on(toy, '-n', '3'),
      stdin: 'an a\n\r\n \nd',
      stdout:
        json({ index: 0, text: 'Hello, world', finish_reason: 'length', usage: usage(4, 3) }) +
        json({ index: 1, text: 'round about round ', finish_reason: 'length', usage: usage(1, 3) }),
    },
    {
      proves: ['batch.order'],
      what: 'many at once, and nothing is said beside them',
      argv: on(toy, '--text', '--parallel', '40'),
      stdin: Array.from({ length: 50 }, (_, i) => `${i} a\n`).join(''),
      stdout: 'Hello, world\n'.repeat(50),
    },
    {
      proves: ['batch.input', 'batch.settings', 'batch.output'],
      what: "OpenAI's lines: its envelope",
      argv: on(toy),
      stdin: json({
        custom_id: 'x',
        method: 'POST',
        url: '/v1/completions',
        body: { model: 'm', prompt: 'd', max_tokens: 2 },
      }),
      stdout:
        /^\{"id":"batch_req_[0-9a-f]{24}","custom_id":"x","response":\{"status_code":200,"request_id":"req_[0-9a-f]{24}","body":\{"id":"cmpl-[0-9a-f]{24}","object":"text_completion","created":0,"model":"[^"]+","choices":\[\{"index":0,"text":"round about ","logprobs":null,"finish_reason":"length"\}\],"usage":\{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3\}\}\},"error":null\}\n$/,
    },
    {
      proves: ['batch.output'],
      what: 'one line of text for each',
      argv: on(toy, '--text'),
      stdin: 'a\nb',
      stdout: 'Hello, world\ntwo\\nlines\n',
    },
    {
      proves: ['batch.template', 'batch.output'],
      what: 'rows in, rows out',
      argv: on(toy, '--csv', '--template', 'Say {text}'),
      stdin: 'id,text\n1,"to, a"\n2,b\n',
      stdout:
        'id,text,answer_text,finish_reason,error\n1,"to, a","Hello, world",stop,\n2,b,"two\nlines",stop,\n',
    },
    {
      proves: ['batch.output'],
      what: 'the row beside its answer',
      argv: on(toy, '--with-input', '--input', 'tsv', '--parallel', '1'),
      stdin: 'n\tprompt\n1\ta\n',
      stdout: json({
        index: 0,
        input: { n: '1', prompt: 'a' },
        text: 'Hello, world',
        finish_reason: 'stop',
        usage: usage(1, 3),
      }),
    },
    {
      proves: ['batch.input'],
      what: 'a file before every prompt, and reasoning beside the answer',
      argv: on(thinking, '-f', newFile('document')),
      stdin: '"why?"',
      stdout: /^\{"index":0,"text":"yes","reasoning":"hm so","finish_reason":"stop"/,
    },
    {
      proves: ['batch.template'],
      what: 'an unknown field, before the model is looked for',
      argv: on('/nowhere', '--csv', '--template', '{word}'),
      stdin: 'id,text\n',
      stderr: errorLines('template: there is no field "word"', 'the fields are {id}, {text}'),
      code: 2,
    },
    {
      proves: ['batch.empty'],
      what: 'nothing in, nothing out, and no model is looked for',
      argv: on('/nowhere'),
      stdin: ' \n',
    },
    {
      proves: ['batch.errors', 'batch.limits', 'batch.settings'],
      what: 'errors of lines',
      argv: on(toy, '-q', '-n', '1'),
      stdin: Buffer.concat([
        Buffer.from('{"prompt":"d"}\n{"prompt"\n{"prompt":"d","tools":[1]}\n"'),
        Buffer.from([0xff]),
        Buffer.from(`"\n{"prompt":"${'d'.repeat(70)}"}\n`),
      ]),
      stdout:
        /^\{"index":0,"text".*\n\{"index":1,"error":\{"code":"invalid_json","message":"not JSON: .*"line":2\}\}\n\{"index":2,"error":\{"code":"unsupported_field".*"line":3\}\}\n\{"index":3,"error":\{"code":"invalid_utf8".*"line":4\}\}\n\{"index":4,"error":\{"code":"context_length_exceeded","message":"prompt: it is 70 tokens, the context holds 64".*"line":5\}\}\n$/,
      stderr: errorLines('batch: 4 lines have errors', 'they are in the output'),
      code: 1,
    },
    {
      proves: ['batch.errors'],
      what: 'errors that are tolerated',
      argv: on(toy, '-q', '--max-errors', '2'),
      stdin: '{"prompt":"a"}\n{\n{',
      stdout: /^.*\n.*\n.*\n$/,
    },
    {
      proves: ['batch.errors'],
      what: 'a reasoning without an answer',
      argv: on(thinking, '-n', '2'),
      stdin: 'why?',
      stdout: /"error":\{"code":"no_answer","message":"the limit of 2 tokens fell inside the reasoning"/,
      stderr: /line 1: the limit[\s\S]*1 line has an error/,
      code: 1,
    },
    {
      proves: ['batch.dry-run'],
      what: 'what is in the lines',
      argv: on(toy, '--dry-run', '--json'),
      stdin: `{"prompt":"a","max_tokens":5}\n{"prompt":"${'d'.repeat(70)}"}\n{`,
      stdout:
        /"input":"jsonl","lines":3,"prompt_tokens":71,"longest":\{"line":2,"tokens":70\},"context_length":64,"too_long":1,"errors":1,"first_errors":\[\{"line":3,.*"most_completion_tokens":5\}\n$/,
      stderr: errorLines('batch: 2 lines would have errors'),
      code: 65,
    },
    {
      proves: ['batch.output'],
      what: 'rows with tabs',
      argv: on(toy, '--tsv'),
      stdin: 'prompt\tn\na\t1\n',
      stdout: 'prompt\tn\ttext\tfinish_reason\terror\na\t1\tHello, world\tstop\t\n',
    },
    ...[
      [['--csv', '--tsv'], '--csv and --tsv: only one of them at a time'],
      [['--csv', '--text'], '--csv and --text: only one of them at a time'],
      [['--text', '--unordered'], '--text and --unordered: only one of them at a time'],
      [['--fresh'], '--fresh: needs -o'],
      [['--retry-errors'], '--retry-errors: needs -o'],
      [['--shard', '2/2'], '--shard: "2/2" is not i/n with i from 0 to n - 1, auto or auto/n'],
      [['--template', 'none'], '--template: template: "none" has no field'],
      [['one', 'two'], 'input: more than one is named'],
    ].map(([argv, message]) => ({
      proves: ['batch.mixed', 'exit.2'],
      what: `refused: ${(argv as string[]).join(' ')}`,
      argv: on('/nowhere', ...(argv as string[])),
      stderr: errorLines(message as string),
      code: 2,
    })),
    {
      proves: ['batch.mixed', 'json.error'],
      what: 'refused: --json',
      argv: on('/nowhere', '--json'),
      stdout: /^\{"error":\{"code":"usage"/,
      stderr: errorLines('--json: of --dry-run; answers are lines of JSON anyway'),
      code: 2,
    },
    {
      proves: ['batch.input'],
      what: 'a file that is not there',
      argv: on(toy, '/nowhere.txt'),
      stderr: errorLines('/nowhere.txt: not found'),
      code: 66,
    },
    {
      proves: ['batch.input'],
      what: 'a JSON array is not lines',
      argv: on(toy),
      stdin: '[{"prompt":"a"}]',
      stderr: errorLines('input: it is a JSON array, not a JSON value per line'),
      code: 65,
    },
  ])
})

test('[batch.settings] a structure of the run, and of a line; one that a limit cuts is an error', async () => {
  const lines = [
    { prompt: 'Yes or no?' },
    {
      prompt: 'A number:',
      response_format: { type: 'json_schema', json_schema: { schema: { type: 'integer' } } },
    },
    {
      prompt: 'Yes or no?',
      max_tokens: 16,
      response_format: { type: 'json_schema', json_schema: { schema: { type: 'string', minLength: 60 } } },
    },
    {
      prompt: 'Yes or no?',
      max_tokens: 1,
      response_format: { type: 'json_schema', json_schema: { schema: { type: 'array', minItems: 9 } } },
    },
  ]
  const { stdout, code } = await runHere(['batch', '--choice', 'yes', '--choice', 'no', '-n', '20', '-q'], {
    stdin: lines.map(json).join(''),
  })
  const [choice, number, cut, short] = values(stdout)
  expect(['yes', 'no']).toContain(choice.text)
  expect(JSON.parse(number.text)).toBe(Number(number.text))
  expect({ code, error: cut.error.code }).toEqual({ code: 1, error: 'incomplete' })
  // What cannot fit is told before it is tried.
  expect(short.error).toMatchObject({
    code: 'invalid_value',
    message: expect.stringContaining('are too few'),
  })
  const refused = await runHere(on('/nowhere', '--schema', '-'), { stdin: 'a' })
  expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('schema: stdin is the input') })
})

test('[batch.output] log-probabilities of the run, of a line, and none', async () => {
  const lines = [{ prompt: 'a' }, { prompt: 'a', logprobs: true, top_logprobs: 2 }]
  const { stdout } = await runHere(on(toy, '--logprobs', '1'), { stdin: lines.map(json).join('') })
  const [of, own] = values(stdout)
  expect([of.logprobs[0].top.length, own.logprobs[0].top.length, of.logprobs.length]).toEqual([1, 2, 3])
})

test('[batch.order batch.seeds] the same bytes with any number at once, and in any order', async () => {
  const input = newFile(
    Array.from({ length: 40 }, (_, i) => json({ id: i, prompt: `Number ${i}:` })).join(''),
  )
  const flags = ['batch', input, '-t', '1', '-n', '9', '--seed', '7']
  const [one, three, sixteen, unordered] = await Promise.all(
    [['--parallel', '1'], ['--parallel', '3'], [], ['--unordered']].map((more) =>
      runHere([...flags, ...more]),
    ),
  )
  expect(one!.code).toBe(0)
  expect(three!.stdout).toBe(one!.stdout)
  expect(sixteen!.stdout).toBe(one!.stdout)
  const sorted = (text: string) => text.split('\n').sort()
  expect(sorted(unordered!.stdout)).toEqual(sorted(one!.stdout))
  const twice = [{ prompt: 'Twice:' }, { prompt: 'Twice:' }].map(json).join('')
  const texts = async (...more: string[]) =>
    values((await runHere([...flags.with(1, '-'), ...more], { stdin: twice })).stdout).map(({ text }) => text)
  expect(new Set(await texts())).toHaveProperty('size', 1)
  expect(new Set(await texts('--seed-by', 'line'))).toHaveProperty('size', 2)
  // A line alone, and last, says what it says among others.
  const alone = await runHere(flags.with(1, '-'), { stdin: json({ id: 5, prompt: 'Number 5:' }) })
  expect(values(alone.stdout)[0].text).toBe(values(one!.stdout)[5].text)
  expect(new Set(values(one!.stdout).map(({ text }) => text)).size).toBeGreaterThan(35)
})

describe('into a file', () => {
  const into = (out: string, ...argv: string[]): string[] => on(toy, '-o', out, ...argv)

  test('[batch.done batch.mixed] done is done; other settings and another input are refused', async () => {
    const out = newFile()
    await runHere(into(out, '-n', '2'), { stdin: 'a\nd\n' })
    const text = readFileSync(out, 'utf8')
    expect(values(text).map((value) => value.text)).toEqual(['Hello, ', 'round about '])
    const again = await runHere(into(out, '-n', '2'), { stdin: 'a\nd\n' })
    expect(again).toMatchObject({
      code: 0,
      stdout: '',
      stderr: expect.stringContaining('all is there already'),
    })
    const other = await runHere(into(out, '-n', '3'), { stdin: 'a\nd\n' })
    expect(other.code).toBe(2)
    expect(other.stderr).toMatch(
      /begun with other settings: max_tokens was 2, is 3\n.*hint: --fresh starts over/,
    )
    const changed = await runHere(into(out, '-n', '2'), { stdin: 'a\nb\n' })
    expect(changed).toMatchObject({ code: 2, stderr: expect.stringContaining('the input has been changed') })
    expect(readFileSync(out, 'utf8')).toBe(text)
    const fresh = await runHere(into(out, '-n', '3', '--fresh'), { stdin: 'a\nd\n' })
    expect(fresh.code).toBe(0)
    expect(values(readFileSync(out, 'utf8'))[0].text).toBe('Hello, world')
  })

  test('[batch.mixed] the output is not the input', async () => {
    const input = newFile('a\n')
    for (const argv of [into(input, input), into(`${input}x`, `${input}x.partial`)]) {
      writeFileSync(`${input}x.partial`, 'a\n')
      const refused = await runHere(argv)
      expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('it is the input') })
    }
    const shell = await runHere([toy, input], { shell: 'spout batch -m "$1" "$2" >> "$2"' })
    expect(shell).toMatchObject({ code: 2, stderr: expect.stringContaining('output: it is the input') })
    expect(readFileSync(input, 'utf8')).toBe('a\n')
  })

  test('[batch.mixed] two processes do not write one output; one that was killed is none', async () => {
    const out = newFile()
    const argv = on(slow, '-o', out, '--trace')
    const [first, child] = await new Promise<[Promise<RunResult>, ChildProcess]>((resolve) => {
      const running = runHere(argv, {
        stdin: 'd\n',
        onStart: (child) => void said(child.stderr, 'trace token').then(() => resolve([running, child])),
      })
    })
    const second = await runHere(argv, { stdin: 'd\n' })
    expect(second).toMatchObject({ code: 75, stderr: expect.stringContaining('another process writes it') })
    child.kill('SIGKILL')
    await first
    expect(existsSync(`${out}.lock`)).toBe(true)
    const third = await runHere([...argv, '--timeout', '2'], { stdin: 'd\n' })
    expect(third).toMatchObject({ code: 75, stderr: expect.stringContaining('timeout: stopped after 2 s') })
    expect(existsSync(`${out}.lock`)).toBe(false)
  })

  test('[batch.retry] errors are asked again, and nothing else', async () => {
    const out = newFile()
    const lines = ['a', 'd'.repeat(70), 'b'].map((prompt) => json({ prompt })).join('')
    const first = await runHere(into(out), { stdin: lines })
    expect(first).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('--retry-errors asks again for them'),
    })
    expect((await runHere(into(out), { stdin: lines })).code).toBe(1)
    const retried = await runHere(into(out, '--retry-errors', '--stats'), { stdin: lines })
    expect(retried.stderr).toMatch(/lines +0 answered, 1 with errors, 2 from before/)
    expect(values(readFileSync(out, 'utf8')).map(({ text }) => text)).toEqual([
      'Hello, world',
      undefined,
      'two\nlines',
    ])
  })

  test('[batch.shards] shards are merged to the bytes of one run', async () => {
    const input = newFile(
      Array.from({ length: 20 }, (_, i) => `${i},"to\n${'abd'[i % 3]}"\n`).join(''),
      '.csv',
    )
    writeFileSync(input, `n,prompt\n${readFileSync(input, 'utf8')}`)
    const [whole, base] = [newFile(), newFile()]
    const flags = [input, '--csv', '-n', '3']
    await runHere(into(whole, ...flags))
    const env = (i: number) => ({
      SLURM_ARRAY_TASK_ID: `${i + 1}`,
      SLURM_ARRAY_TASK_MIN: '1',
      SLURM_ARRAY_TASK_COUNT: '3',
    })
    for (const i of [0, 1, 2]) {
      expect((await runHere(into(`${base}.${i}`, ...flags, '--shard', 'auto'), { env: env(i) })).code).toBe(0)
    }
    const merged = await runHere([base], { shell: 'spout batch merge "$1".*' })
    expect(merged).toMatchObject({ code: 0, stderr: '', stdout: readFileSync(whole, 'utf8') })
    const toFile = await runHere([
      'batch',
      'merge',
      `${base}.2`,
      `${base}.0`,
      `${base}.1`,
      '-o',
      `${base}-all`,
    ])
    expect(toFile.code).toBe(0)
    expect(readFileSync(`${base}-all`, 'utf8')).toBe(merged.stdout)
    const lacks = await runHere(['batch', 'merge', `${base}.0`, `${base}.2`])
    expect(lacks).toMatchObject({
      code: 65,
      stdout: '',
      stderr: expect.stringContaining('of 3 shards number 1 is missing'),
    })
    const twice = await runHere(['batch', 'merge', `${base}.0`, `${base}.0`, `${base}.1`, `${base}.2`])
    expect(twice.code).toBe(0)
    writeFileSync(`${base}.1.partial`, '')
    const unfinished = await runHere([base], { shell: 'spout batch merge "$1".*' })
    expect(unfinished).toMatchObject({
      code: 75,
      stdout: '',
      stderr: expect.stringContaining('.1" is not finished'),
    })
  })
})

describe('endings', () => {
  const endless = ['a', 'd'].map((prompt) => json({ prompt })).join('')

  test('[batch.endings] the time is over: 75 with a file, which is gone on with; 124 without', async () => {
    // Longer each time, until there is an answer: how long one takes, the machine says.
    const stop = async (hasAnswer: (out: string, stdout: string) => boolean, ...flags: string[]) => {
      for (const seconds of ['3', '10', '30']) {
        const out = newFile()
        const words = [...(flags.length > 0 ? [...flags, out] : []), '--timeout', seconds, '--parallel', '1']
        const result = await runHere(on(slow, ...words), { stdin: endless })
        if (hasAnswer(out, result.stdout)) return { ...result, out }
      }
      throw new Error('no answer in 30 seconds')
    }
    const stopped = await stop((out) => readFileSync(`${out}.partial`, 'utf8') !== '', '-o')
    expect(stopped).toMatchObject({ code: 75, stderr: expect.stringContaining('run the same command again') })
    const partial = readFileSync(`${stopped.out}.partial`, 'utf8')
    expect(values(partial).map(({ text }) => text)).toEqual(['Hello, world'])
    expect([`${stopped.out}.lock`, stopped.out].filter((path) => existsSync(path))).toEqual([])
    const stream = await stop((_, stdout) => stdout !== '')
    expect({ code: stream.code, text: values(stream.stdout)[0].text }).toEqual({
      code: 124,
      text: 'Hello, world',
    })
  })

  test.each(['SIGTERM', 'SIGINT'] as const)(
    '[batch.endings] %s: death by it, and what was done is kept',
    async (signal) => {
      const out = newFile()
      const { code, signal: died } = await runHere(on(slow, '-o', out, '--trace', '--parallel', '1'), {
        stdin: endless,
        onStart: (child) => void said(child.stderr, /piece="about/).then(() => child.kill(signal)),
      })
      expect({ code, died }).toEqual({ code: null, died: signal })
      expect(values(readFileSync(`${out}.partial`, 'utf8')).map(({ text }) => text)).toEqual(['Hello, world'])
    },
  )

  test('[batch.endings] stdin stays open: an answer comes before the next line', async () => {
    const result = await runHere(on(toy), {
      stdin: 'open',
      onStart(child) {
        child.stdin!.write('a\n')
        void said(child.stdout, 'Hello').then(() => child.stdin!.end('b\n'))
      },
    })
    expect(values(result.stdout)).toHaveLength(2)
  })

  test('[batch.endings] the reader goes away', async () => {
    const { stdout } = await runHere([toy], {
      // biome-ignore lint/suspicious/noTemplateCurlyInString: an array of the shell's
      shell: 'yes a | spout batch -m "$1" | head -1; echo "${PIPESTATUS[1]}"',
    })
    expect(stdout).toMatch(/^\{"index":0.*\n141\n$/)
  })

  test('[batch.endings] a full device: 74', async () => {
    const { code, stderr } = await runHere(on(toy, '-o', '/dev/full'), { stdin: 'a\n' })
    expect({ code, stderr }).toMatchObject({ code: 74, stderr: expect.stringContaining('ENOSPC') })
  })

  const canMount = spawnSync('unshare', ['-rm', 'true']).status === 0
  test.skipIf(!canMount)(
    '[batch.endings] a disk that is full: 74, and the same command goes on when there is room (needs unshare)',
    async () => {
      const mount = mkdtempSync(join(HOME, 'full-'))
      const input = newFile(
        Array.from({ length: 200 }, (_, i) => json({ id: `${i}`.padEnd(200, 'x'), prompt: 'a' })).join(''),
      )
      const script = [
        `mount -t tmpfs -o size=64k none ${mount}`,
        `"$0" "$1" batch -m ${toy} ${input} -o ${mount}/out -q; echo $?`,
        `mount -o remount,size=10M ${mount}`,
        `"$0" "$1" batch -m ${toy} ${input} -o ${mount}/out -q --stats; echo $?`,
        `wc -l < ${mount}/out`,
      ].join('; ')
      const { stdout, stderr } = await runHere([script], {
        shell: `unshare -rm sh -c "$1" ${process.execPath} bin/spout.js`,
      })
      expect(stdout).toMatch(/^74\n0\n200\n$/)
      expect(stderr).toMatch(/ENOSPC\nspout: hint: free some space; the same command then goes on/)
      expect(stderr).toMatch(/ [1-9]\d* from before/)
    },
  )
})

test('[batch.resume] killed, and killed again: the bytes of an undisturbed run', async () => {
  const KILLS = Number(process.env.SPOUT_BATCH_KILLS ?? 3)
  const LINES = Number(process.env.SPOUT_BATCH_LINES ?? 60)
  const PARALLEL = Number(process.env.SPOUT_BATCH_PARALLEL ?? 4)
  const input = newFile(Array.from({ length: LINES }, (_, i) => `Number ${i} was\n`).join(''))
  const [whole, out] = [newFile(), newFile()]
  const flags = ['batch', input, '-t', '1', '-n', '8', '--parallel', `${PARALLEL}`, '--trace', '-q']
  const pass = tokensIn(await runHere([...flags, '-o', whole], { mostMs: 3_600_000 }))
  // So few that there is something left to do after the last.
  const most = pass / (KILLS + 3)
  let [work, killed, atWork] = [0, 0, 0]
  for (let code: number | null = null; code !== 0; ) {
    // Every fifth dies at any moment from its start on, while it loads mostly; the others once they are at work.
    const isLate = killed % 5 !== 4
    const onStart = (child: ChildProcess): void => {
      if (killed++ >= KILLS) return
      if (isLate) killAtWork(child, Math.random() * most)
      else setTimeout(() => child.kill('SIGKILL'), Math.random() * 1000).unref()
    }
    const run = await runHere([...flags, '-o', out], { mostMs: 3_600_000, onStart })
    work += tokensIn(run)
    if (run.signal === 'SIGKILL' && tokensIn(run) > 0) atWork++
    code = run.code
  }
  expect(readFileSync(out, 'utf8')).toBe(readFileSync(whole, 'utf8'))
  // What was under way when it died is computed again.
  expect(work).toBeLessThanOrEqual(pass + atWork * PARALLEL * 8)
  expect(atWork).toBeGreaterThan(KILLS / 2)
  if (process.env.SPOUT_BATCH_KILLS !== undefined) {
    const passes = (work / pass).toFixed(3)
    console.log(
      `${KILLS} kills, ${atWork} of them at work, ${LINES} lines, ${PARALLEL} at once: ${passes} passes`,
    )
    expect(work / pass).toBeLessThanOrEqual(1.15)
  }
  expect(statSync(`${out}.journal`).size).toBeLessThan(2000)
}, 3_600_000)

/** Kills it once it has told of so many tokens, however long that takes. */
function killAtWork(child: ChildProcess, tokens: number): void {
  let told = 0
  child.stderr!.on('data', (chunk: Buffer) => {
    told += chunk.toString().match(/trace token /g)?.length ?? 0
    if (told > tokens) child.kill('SIGKILL')
  })
}

function tokensIn({ stderr }: RunResult): number {
  return stderr.match(/^.*trace token /gm)?.length ?? 0
}

test('every flag of batch alone is used by a test', () => {
  const source = readFileSync(import.meta.filename, 'utf8')
  const shared = new Set(FLAGS.map(longName))
  const own = BATCH_FLAGS.map(longName).filter((name) => !shared.has(name))
  expect(own.filter((name) => !source.includes(`'${name}'`))).toEqual([])
})
