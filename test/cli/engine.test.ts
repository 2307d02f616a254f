/** `--engine`: the built program against servers in this process, one of them the real one. */
import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { startServer } from '../support/api-server.ts'
import { errorLines, testRows } from '../support/cli-rows.ts'
import { runHere } from '../support/run-here.ts'
import { HOME, runSpout } from '../support/run-spout.ts'
import {
  answering,
  beginEvents,
  chunk,
  type Script,
  type ScriptedServer,
  scriptedServer,
  sendError,
  sendJson,
  streamText,
} from '../support/scripted-server.ts'

const folder = mkdtempSync(join(HOME, 'engine-'))
const servers: ScriptedServer[] = []
const started = async (script?: Script): Promise<ScriptedServer> => {
  const server = await scriptedServer(script)
  servers.push(server)
  return server
}
const good = await started()
const silent = await started(() => undefined)
/** The model without weights of others: answers of this very program. */
const real = await startServer()
afterAll(async () => {
  await Promise.all([...servers.map((server) => server.close()), real.server.close()])
})

const keyFile = join(folder, 'key')
writeFileSync(keyFile, '# mine\nk-4711\n', { mode: 0o600 })
const nobody = 'http://127.0.0.1:9'

describe.concurrent('one answer', () => {
  testRows([
    {
      proves: ['engine.plain', 'engine.key'],
      what: 'what the server says, asked with what was set and nothing else',
      argv: [
        '--engine',
        good.url,
        '--engine-key-file',
        keyFile,
        '-t',
        '0.5',
        '-s',
        'be brief',
        '-n',
        '9',
        'plain',
      ],
      stdout: '<plain> é😀\n',
      check() {
        const { path, headers, body } = good.calls.find(
          (call) => call.body.messages?.[1]?.content === 'plain',
        )!
        expect([path, headers.authorization]).toEqual(['/v1/chat/completions', 'Bearer k-4711'])
        expect(body).toEqual({
          model: 'scripted',
          messages: [
            { role: 'system', content: 'be brief' },
            { role: 'user', content: 'plain' },
          ],
          stream: true,
          stream_options: { include_usage: true },
          max_tokens: 9,
          temperature: 0.5,
        })
      },
    },
    {
      proves: ['engine.plain'],
      what: '--json has null where a server promises nothing',
      argv: ['--engine', `${good.url}/v1/`, '-m', 'other', '--json', '--raw', 'json'],
      stdout: /^\{.*\}\n$/,
      check({ stdout }) {
        expect(JSON.parse(stdout)).toMatchObject({
          model: 'other',
          text: '',
          token_ids: null,
          seed: null,
          sampling: {},
          runs: { device: 'remote', servers: [good.url] },
          usage: { prompt_tokens: 5, completion_tokens: 3 },
        })
        const { path, body } = good.calls.find((call) => call.body.prompt === 'json')!
        expect([path, body.max_tokens, body.model]).toEqual(['/v1/completions', 512, 'other'])
      },
    },
    {
      proves: ['engine.setting'],
      what: 'a variable names it',
      argv: ['variable'],
      env: { SPOUT_ENGINE: good.url, SPOUT_DTYPE: 'q4', SPOUT_DRAFTS: 'auto' },
      stdout: '<variable> é😀\n',
    },
    {
      proves: ['engine.setting'],
      what: 'local: none, whatever a variable says',
      argv: ['--engine', 'local', '-n', '1', '--json', 'Once'],
      env: { SPOUT_ENGINE: nobody },
      stdout: /"device":"cpu"/,
    },
    {
      proves: ['engine.errors'],
      what: 'nobody is there',
      argv: ['--engine', nobody, 'x'],
      stderr: errorLines(`engine: ${nobody}: connection refused`, 'is it started, and is that its address'),
      code: 69,
    },
  ])

  test('[engine.plain] a word is out when it comes, and no runtime is loaded', async () => {
    let child: ChildProcess | undefined
    const server = await started(async (response) => {
      beginEvents(response)
      const seen = new Promise((resolve) => child!.stdout!.once('data', resolve))
      response.write(streamText([chunk('first')]))
      expect(String(await seen)).toBe('first')
      const maps = process.platform === 'linux' ? readFileSync(`/proc/${child!.pid}/maps`, 'utf8') : ''
      const rest = /onnxruntime|\.onnx/.test(maps) ? 'loaded' : ', second'
      response.end(streamText([chunk(rest), chunk(null, { finish: 'stop' }), '[DONE]']))
    })
    const { stdout, stderr, code } = await runSpout(['--engine', server.url, 'x'], {
      onStart: (started) => {
        child = started
      },
    })
    expect([stdout, stderr, code]).toEqual(['first, second\n', '', 0])
  })

  test('[engine.errors] an answer that is cut is an error, and what was written stays', async () => {
    const server = await started((response) => {
      beginEvents(response)
      response.write(streamText([chunk('half ')]), () => response.socket!.destroy())
    })
    const { stdout, stderr, code } = await runHere(['--engine', server.url, 'x'])
    expect([stdout, code, server.calls.length]).toEqual(['half ', 75, 1])
    expect(stderr).toMatch(
      errorLines(`engine: ${server.url}: the answer is not whole: it was cut (connection reset)`),
    )
  })

  test('[engine.errors] what is no answer', async () => {
    const server = await started((response) => {
      response.writeHead(200, { 'content-type': 'text/html' })
      response.end('<html>')
    })
    const { stdout, stderr, code } = await runHere(['--engine', server.url, 'x'])
    expect([stdout, code, server.calls.length]).toEqual(['', 76, 1])
    expect(stderr).toContain('the server sent "text/html", neither events nor JSON')
  })

  test('[engine.errors] the time is up while it says nothing', async () => {
    const { code, stderr } = await runSpout(['--engine', silent.url, '--timeout', '1.5', 'x'])
    expect([code, stderr]).toEqual([124, 'spout: error: timeout: not done after 1.5 s\n'])
  })

  test('[engine.plain] a conversation is told whole, turn by turn', async () => {
    const { stdout, code } = await runHere(['chat', '--engine', good.url], { stdin: 'one\ntwo\n' })
    expect([stdout, code]).toEqual(['<one> é😀\n<two> é😀\n', 0])
    const last = good.calls.find(({ body }) => body.messages?.at(-1).content === 'two')!
    expect(last.body.messages.map(({ content }: { content: string }) => content)).toEqual([
      'one',
      '<one> é😀',
      'two',
    ])
  })
})

const declined = (argv: readonly string[], message: string, env = {}) => ({
  proves: ['engine.refused'],
  what: argv.join(' ') || message,
  argv: ['--engine', silent.url, ...argv, 'x'],
  env,
  stderr: errorLines(message),
  code: 2,
})

describe.concurrent('what cannot be', () => {
  const structure = 'not with --engine: what a server makes of a structure is not promised'
  testRows([
    declined(
      ['--receipt', join(folder, 'r')],
      '--receipt: not with --engine: the bits of a server are not promised',
    ),
    declined(['--schema', 'a int'], `--schema: ${structure}`),
    declined(['--repeat-last-n', '5'], '--repeat-last-n: not with --engine: a server has no field for it'),
    declined(['--dtype', 'q4'], '--dtype: not with --engine: it is of a model that runs here'),
    declined(
      ['--raw', '-n', '0'],
      'max-tokens: not with a server elsewhere: with --raw, a server ends texts at a limit of its own: name one',
    ),
    {
      ...declined([], ''),
      what: 'an address with a password',
      argv: ['--engine', 'http://me:secret@127.0.0.1:9', 'x'],
      stderr:
        /^spout: error: --engine: an address with a name or password in it, which others can read\nspout: hint: /,
    },
    {
      ...declined([], ''),
      proves: ['engine.refused', 'engine.key'],
      what: 'a key in clear over the internet',
      argv: ['--engine', 'http://example.com', 'x'],
      env: { SPOUT_ENGINE_KEY: 'k-4711' },
      stderr: /^spout: error: engine: the key would go to example\.com in clear, .*\nspout: hint: [^\n]*\n$/,
    },
  ])
})

test('nothing was asked of the server by what was refused', () => {
  expect(silent.calls.filter(({ body }) => body.messages?.at(-1).content !== 'x' || body.raw)).toEqual([])
  expect(silent.calls.length).toBeLessThanOrEqual(1)
})

describe.concurrent('judging', () => {
  const judging: Script = (response, { body }) => {
    const p = /sport/.test(body.messages.at(-1).content.split('Text:')[1] ?? '') ? 0.9 : 0.2
    const rated = [
      { token: 'yes', logprob: Math.log(p) },
      { token: 'no', logprob: Math.log(1 - p) },
      { token: 'maybe', logprob: Math.log(1e-6) },
    ]
    beginEvents(response)
    const logprobs = { content: [{ token: 'yes', logprob: 0, top_logprobs: rated }] }
    response.end(streamText([chunk('yes', { finish: 'length', choice: { logprobs } }), '[DONE]']))
  }

  test('[engine.plain] filter, rank and --choices by the first token', async () => {
    const { url } = await started(judging)
    const stdin = 'news\nsport\nmore sport\n'
    const [filtered, ranked, chosen] = await Promise.all([
      runHere(['filter', '--engine', url, '--scores', 'is about sport'], { stdin }),
      runHere(['rank', '--engine', url, '--top', '1', 'sportiness'], { stdin }),
      runHere(['--engine', url, '--choices', 'yes,no', '--json', 'Text: sport'], {}),
    ])
    expect([filtered.stdout, filtered.code]).toEqual(['0.9000\tsport\n0.9000\tmore sport\n', 0])
    expect([ranked.stdout, ranked.code]).toEqual(['sport\n', 0])
    expect(JSON.parse(chosen.stdout)).toMatchObject({ text: 'yes', choice: 'yes' })
  })

  testRows([
    {
      proves: ['engine.refused'],
      what: 'a server without log-probabilities cannot judge',
      argv: ['filter', '--engine', good.url, 'is so'],
      stdin: 'a\n',
      stderr: errorLines(
        'engine: the server gives no log-probabilities, and they are needed',
        '--engine local',
      ),
      code: 2,
    },
    {
      proves: ['engine.refused'],
      what: 'score needs what no server gives',
      argv: ['score', '--engine', good.url],
      stdin: 'a\n',
      stderr: errorLines(
        'score: a server elsewhere does not tell how likely a given text is',
        '--engine local',
      ),
      code: 2,
    },
  ])
})

describe.concurrent('many lines', () => {
  test('[engine.batch] a server that is away for a while: exit 75, and the same command goes on', async () => {
    const out = join(folder, 'resumed')
    let mayAnswer = 3
    const server = await started((response, call) => {
      if (mayAnswer-- > 0) return answering(response, call)
      return sendError(response, 429, 'spent', { 'retry-after': '86400' })
    })
    const argv = ['batch', '--engine', server.url, '--parallel', '1', '-o', out]
    const stdin = Array.from({ length: 6 }, (_, i) => `line ${i}\n`).join('')
    const input = join(folder, 'input.txt')
    writeFileSync(input, stdin)
    const first = await runHere([...argv, input])
    expect([first.code, first.stderr]).toEqual([
      75,
      expect.stringContaining('limits the rate of requests: spent'),
    ])
    mayAnswer = 100
    const second = await runHere([...argv, input])
    expect(second.code).toBe(0)
    const texts = readFileSync(out, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).text)
    expect(texts).toEqual(Array.from({ length: 6 }, (_, i) => `<line ${i}> é😀`))
    // The three that were answered were not asked for again; the one that was refused was.
    expect(server.calls).toHaveLength(7)
  })

  test('[engine.batch] two servers share the work, and one that dies loses no line', async () => {
    let dead = false
    const [a, b] = await Promise.all([
      started((response, call) => {
        if (call.place < 3) return answering(response, call)
        dead = true
        return void response.socket!.destroy()
      }),
      started(),
    ])
    const stdin = Array.from({ length: 40 }, (_, i) => `line ${i}\n`).join('')
    const argv = ['batch', '--engine', `${a.url},${b.url}`, '--text', '--parallel', '4', '-q']
    const { stdout, code } = await runHere(argv, { stdin })
    expect([stdout, code, dead]).toEqual([
      Array.from({ length: 40 }, (_, i) => `<line ${i}> é😀\n`).join(''),
      0,
      true,
    ])
    expect(b.calls.length).toBeGreaterThan(10)
  })

  test('[engine.batch] what a line asks for and a server cannot be told is the error of that line', async () => {
    const stdin = `{"prompt":"a"}\n{"prompt":"b","response_format":{"type":"json_object"}}\n`
    const { stdout, code } = await runHere(['batch', '--engine', good.url, '-q'], { stdin })
    const [first, second] = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect([code, first.text, second.error.code]).toEqual([1, '<a> é😀', 'invalid_value'])
  })

  test('[engine.batch] spout serve gives, greedily, the bytes of the model here', async () => {
    const stdin = 'Once upon\n{"x": 1}\nThe cat\n'
    const argv = ['batch', '--input', 'lines', '-t', '0', '-n', '8']
    const here = await runHere([...argv, '--threads', '1'], { stdin })
    const there = await runHere([...argv, '--engine', real.url], { stdin })
    expect([there.stdout, there.stderr, there.code]).toEqual([here.stdout, '', 0])
    expect(here.stdout.split('\n')).toHaveLength(4)
  })
})

test('[engine.setting] more than one model, and none', async () => {
  const list = (...ids: string[]) => ({ data: ids.map((id) => ({ id })) })
  const models = await scriptedServer()
  servers.push(models)
  models.models = (response) => sendJson(response, 200, list('a', 'b'))
  const two = await runHere(['--engine', models.url, 'x'])
  expect([two.code, two.stderr]).toEqual([
    2,
    'spout: error: engine: more than one model is served: "a", "b"\nspout: hint: -m names one\n',
  ])
})
