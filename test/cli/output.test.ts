/** What comes out: the bytes of the answer, the documents of --json, and what is said beside them. */
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { JSON_FIELDS } from '../../src/cli/help/json-fields.ts'
import { errorLines, testRows } from '../support/cli-rows.ts'
import { TINY_MODEL } from '../support/models.ts'
import { runHere } from '../support/run-here.ts'
import { HOME, type RunResult } from '../support/run-spout.ts'
import { EOS, FAIL, NAN, removeToys, type Step, TOY_TEMPLATE, toyModel } from '../support/toy-model.ts'

const UNSAFE = 'a\u2028b\u2029c\u0085d\u009be\u202ef'
const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values)
const scripts: Record<string, Step[]> = {
  a: ['Hello', ', ', 'world', EOS],
  b: ['line', '\n', EOS],
  c: [bytes(0xe2, 0x82), bytes(0xac), bytes(0xf0, 0x9f), bytes(0x98, 0x80), EOS],
  d: ['round ', 'about '],
  e: ['one ', 'two ', NAN],
  f: ['three ', FAIL],
  s: ['xab', 'cab', 'cde', 'fg', EOS],
  y: [UNSAFE, EOS],
  z: ['\x1b[31m', '\x07bell\r\n', '\u009b1m', EOS],
}
const toy = toyModel({ scripts })
const small = toyModel({ scripts, contextLength: 16 })
const thinking = toyModel({
  scripts: { '?': ['<thi', 'nk>\nhm', ' so</thi', 'nk>\n\ny', 'es', EOS], '!': ['plain', EOS] },
  chatTemplate: `${TOY_TEMPLATE}{# <think> #}`,
})
const talking = toyModel({ scripts: { d: ['on ', 'and '] }, chatTemplate: TOY_TEMPLATE, contextLength: 64 })
afterAll(removeToys)
const folder = mkdtempSync(join(HOME, 'output-'))
const on = (model: string, ...argv: string[]): string[] => ['-m', model, '--no-stdin', ...argv]

describe.concurrent('text', () => {
  testRows([
    {
      proves: ['out.answer', 'out.newline', 'exit.0'],
      what: 'the answer and one newline, and nothing else anywhere',
      argv: on(toy, 'a'),
      stdout: 'Hello, world\n',
    },
    { proves: ['out.newline'], what: 'no second newline', argv: on(toy, 'b'), stdout: 'line\n' },
    {
      proves: ['out.whole', 'G7'],
      what: 'characters cut across tokens',
      argv: on(toy, 'c'),
      stdout: '€😀\n',
    },
    {
      proves: ['out.whole', 'G7'],
      what: 'a character that the budget cuts',
      argv: on(toy, 'c', '-n', '3', '--no-newline'),
      stdout: '€\ufffd',
    },
    {
      proves: ['G6', 'out.whole', 'out.newline'],
      what: 'stop texts across tokens: the one that ends first, and no newline with --no-newline',
      argv: on(toy, 's', '--stop', 'abcd', '--stop', 'bca', '--no-newline'),
      stdout: 'xa',
    },
    {
      proves: ['G6'],
      what: 'text held back for a stop text that does not come',
      argv: on(toy, 's', '--stop', 'fgh', '--no-newline'),
      stdout: 'xabcabcdefg',
    },
    {
      proves: ['out.terminal', 'G8'],
      what: 'control characters as they are',
      argv: on(toy, 'z', '--no-newline'),
      stdout: '\x1b[31m\x07bell\r\n\u009b1m',
    },
    {
      proves: ['G1'],
      what: 'nothing at all when the end comes first',
      argv: on(toy, 'q'),
    },
    {
      proves: ['options.length', 'G11'],
      what: 'a completion without an end, cut, and said to be',
      argv: on(toy, 'd'),
      stdout: `${'round about '.repeat(256)}\n`,
      stderr: /^spout: stopped at 512 tokens; -n 0 goes on to the end\n$/,
    },
    {
      proves: ['err.quiet'],
      what: '--quiet says nothing about it',
      argv: on(toy, 'd', '--quiet'),
      stdout: /^round /,
    },
    {
      proves: ['options.length', 'G4', 'G2'],
      what: 'a chat without an end, to the last place of the context',
      argv: on(talking, 'd'),
      stdout: /^(on and )+(on )?\n$/,
      stderr: /^spout: stopped: the context is full\n$/,
    },
    {
      proves: ['G2', 'G4'],
      what: '-n 0 goes on until the context is full',
      argv: on(small, 'd', '-n', '0', '--json'),
      stderr: /^spout: stopped: the context is full\n$/,
      stdout: /./,
      check: ({ stdout }) => {
        expect(JSON.parse(stdout)).toMatchObject({
          finish_reason: 'context',
          usage: { prompt_tokens: 1, completion_tokens: 15 },
        })
      },
    },
    {
      proves: ['G5', 'exit.1'],
      what: 'logits that are no numbers: the text so far, and which token',
      argv: on(toy, 'e'),
      stdout: 'one two ',
      stderr: /^spout: error: .*3.*NaN.*\nspout: hint: .*\n$/,
      code: 1,
    },
    {
      proves: ['G10', 'exit.1', 'error.clean'],
      what: 'a run that fails in the middle',
      argv: on(toy, 'f'),
      stdout: 'three ',
      stderr: /^spout: error: onnxruntime: .*out of data bounds.*\n$/,
      code: 1,
      check: ({ stderr }) => expect(stderr).not.toContain('onnxruntime_src'),
    },
  ])
})

describe.concurrent('JSON', () => {
  const timings = {
    load_ms: expect.any(Number),
    prefill_ms: expect.any(Number),
    ttft_ms: expect.any(Number),
    decode_ms: expect.any(Number),
    prefill_tps: expect.any(Number),
    decode_tps: expect.any(Number),
  }
  const common = { model: toy, revision: null, dtype: 'fp32' }

  test('[json.document P13] one document, with every field of the contract and no other', async () => {
    const { stdout, stderr } = await runHere(on(toy, 'a', '--json', '--seed', '7', '--stop', 'nowhere'))
    expect(stderr).toBe('')
    expect(stdout.endsWith('}\n')).toBe(true)
    const document = JSON.parse(stdout)
    expect(document).toEqual({
      ...common,
      text: 'Hello, world',
      finish_reason: 'stop',
      runs: {
        device: 'cpu',
        kernels: {
          matmul: 'onnxruntime',
          attention: 'onnxruntime',
          isa: null,
          why: "no kernel of spout's computes matmul or attention of this kind",
        },
        prepared: false,
        threads: expect.any(Number),
        runtime: 'c-api',
        not_taken: [],
      },
      template: 'none',
      sampling: expect.objectContaining({ temperature: 0, top_p: 1, repetition_penalty: 1 }),
      seed: '7',
      token_ids: [256, 257, 258],
      usage: { prompt_tokens: 1, prompt_tokens_details: { cached_tokens: 0 }, completion_tokens: 3 },
      drafts: null,
      timings,
    })
    const { load_ms, ttft_ms, prefill_ms } = document.timings
    expect(ttft_ms).toBeGreaterThanOrEqual(load_ms + prefill_ms)
  })

  test('[json.document] why it ended: by a stop text', async () => {
    const { stdout } = await runHere(on(toy, 'a', '--stop', 'world', '--json'))
    expect(JSON.parse(stdout)).toMatchObject({ finish_reason: 'stop-string', text: 'Hello, ' })
  })

  test('[json.document] log-probabilities of each token and of the likeliest', async () => {
    const { stdout } = await runHere(on(toy, 'a', '--json', '--logprobs', '2'))
    const { logprobs } = JSON.parse(stdout)
    expect(logprobs.map(({ id, token }: { id: number; token: string }) => [id, token])).toEqual([
      [256, 'Hello'],
      [257, ', '],
      [258, 'world'],
    ])
    for (const { id, token, bytes, logprob, top } of logprobs) {
      expect(logprob).toBeCloseTo(0, 5)
      expect(bytes).toEqual([...Buffer.from(token)])
      expect(top).toHaveLength(2)
      expect(top[0]).toEqual({ id, token, bytes, logprob })
    }
  })

  test('[json.document] halves of a character: each by itself, and as bytes that join', async () => {
    const { stdout } = await runHere(on(toy, 'c', '--json', '--logprobs', '--seed', '9007199254740993'))
    const { logprobs, seed, text } = JSON.parse(stdout)
    expect(logprobs.map(({ token }: { token: string }) => token)).toEqual([
      '\ufffd',
      '\ufffd',
      '\ufffd',
      '\ufffd\ufffd',
    ])
    expect(Buffer.from(logprobs.flatMap(({ bytes }: { bytes: number[] }) => bytes)).toString()).toBe(text)
    expect(seed).toBe('9007199254740993')
  })

  test('[json.document help.short] every field of a document is in help json, and no other', async () => {
    const structured = ['x', '--no-stdin', '--json', '--schema', '{"type":"boolean"}', '-q']
    const runs = [runHere(on(thinking, '?', '--json', '--logprobs', '1')), runHere(structured)]
    const [first, second] = (await Promise.all(runs)).map(({ stdout }) => JSON.parse(stdout))
    const document = { ...second, ...first }
    const inner = [document.runs, document.usage, document.timings, document.logprobs[0]].flatMap(Object.keys)
    const told = JSON_FIELDS.map(([name]) => name.trim())
    expect([...Object.keys(document), ...inner].sort()).toEqual(told.sort())
  })

  test('[drafts.same] guesses change nothing of an answer, whatever is expected', async () => {
    const argv = ['One day a dog went out. One day a dog', '--no-stdin', '--json', '-n', '40', '--seed', '3']
    const wrong = join(folder, 'expected.txt')
    writeFileSync(wrong, 'went out. One day a cat went out.')
    const ways = [
      ['--drafts', 'off'],
      [],
      ['--drafts', '5', '-q'],
      ['--expect', wrong],
      ['--expect', wrong, '--drafts', '9', '-q'],
      // The embedded model guesses for itself.
      ['--draft-model', TINY_MODEL.folder, '--drafts', '4', '-q'],
    ]
    const runs = await Promise.all(ways.map((way) => runHere([...argv, ...way])))
    const answers = runs.map(({ stdout }) => JSON.parse(stdout))
    for (const { text, token_ids, finish_reason } of answers)
      expect({ text, token_ids, finish_reason }).toEqual({
        text: answers[0].text,
        token_ids: answers[0].token_ids,
        finish_reason: answers[0].finish_reason,
      })
    expect(answers[0].drafts).toBe(null)
    expect(answers[4].drafts).toEqual({
      steps: expect.any(Number),
      drafted: expect.any(Number),
      accepted: expect.any(Number),
    })
    expect(runs.map(({ code }) => code)).toEqual(Array(6).fill(0))
  })

  test('[json.samples] several answers, the first of them that of one, and the same again', async () => {
    const argv = ['Once upon a time', '--no-stdin', '--json', '-t', '1', '-n', '6', '--seed', '5']
    const [one, ...several] = await Promise.all(
      [argv, [...argv, '--samples', '3'], [...argv, '--samples', '3', '--stats']].map((each) =>
        runHere(each),
      ),
    )
    const {
      timings: _,
      model,
      revision,
      dtype,
      runs,
      template,
      sampling,
      ...answer
    } = JSON.parse(one!.stdout)
    const same = { model, revision, dtype, runs, template, sampling }
    const documents = several.map(({ stdout }) => JSON.parse(stdout))
    for (const document of documents) {
      expect(Object.keys(document)).toEqual([...Object.keys(same), 'samples', 'usage'])
      expect(document).toMatchObject(same)
      expect(document.samples[0]).toEqual({ ...answer, timings })
      expect(document.usage).toEqual({ ...answer.usage, completion_tokens: 18 })
    }
    const texts = documents.map(({ samples }) => samples.map(({ text }: { text: string }) => text))
    expect(texts[0]).toEqual(texts[1])
    expect(new Set(texts[0]).size).toBe(3)
    const again = ['--seed', documents[0].samples[2].seed]
    const third = await runHere([...argv.slice(0, -2), ...again])
    expect(JSON.parse(third.stdout).text).toBe(texts[0][2])
    expect(several.map(({ stderr }) => stderr)).toEqual([
      '',
      expect.stringMatching(
        /^model[\s\S]*spout: 3 answers, 18 tokens in .*; written (together|one after another)/,
      ),
    ])
  })

  testRows([
    {
      proves: ['json.samples', 'exit.2'],
      what: 'without --json there is no place for several',
      argv: on(toy, 'a', '--samples', '2'),
      stderr: /^spout: error: --samples: needs --json\nspout: hint: add --json\n$/,
      code: 2,
    },
    {
      proves: ['json.samples', 'exit.1'],
      what: 'one that fails',
      argv: on(toy, 'e', '--samples', '2', '--json'),
      stdout: /^\{"error":\{"code":"failed","exit":1,/,
      stderr: /NaN/,
      code: 1,
    },
  ])

  test('[json.events] events whose texts are the text of the last', async () => {
    const { stdout } = await runHere(on(toy, 'c', '--jsonl', '--logprobs', '-n', '3'))
    const events = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(events.map(({ event, id, text }) => [event, id, text])).toEqual([
      ['start', undefined, undefined],
      ['token', expect.any(Number), ''],
      ['token', expect.any(Number), '€'],
      ['token', expect.any(Number), ''],
      ['token', null, '\ufffd'],
      ['end', undefined, '€\ufffd'],
    ])
    expect(events[0]).toEqual({ event: 'start', ...common })
    expect(events[1]).toHaveProperty('logprob')
    const ids = events.filter(({ id }) => typeof id === 'number').map(({ id }) => id)
    expect(events[5]).toMatchObject({ ...common, finish_reason: 'length', token_ids: ids, timings })
  })

  testRows([
    {
      proves: ['json.safe'],
      what: 'is in ASCII where a terminal or a reader of lines would see more than text',
      argv: on(toy, 'y', '--jsonl'),
      stdout: /./,
      check({ stdout }) {
        expect(stdout.trimEnd().split(/[\n\x85\u2028\u2029]/)).toHaveLength(3)
        expect(stdout).not.toMatch(/[\x7f-\x9f\u2028-\u202e]/)
        expect(JSON.parse(stdout.trimEnd().split('\n').at(-1)!).text).toBe(UNSAFE)
      },
    },
    {
      proves: ['json.error', 'G10'],
      what: 'a failure in the middle is one document',
      argv: on(toy, 'f', '--json'),
      stdout: /^\{"error":\{"code":"failed","exit":1,"message":"onnxruntime: [^\n]*\}\}\n$/,
      stderr: /^spout: error: onnxruntime/,
      code: 1,
    },
    {
      proves: ['json.events', 'G5'],
      what: 'a failure in the middle is the last event',
      argv: on(toy, 'e', '--jsonl'),
      stdout:
        /^\{"event":"start".*\n\{"event":"token".*\n\{"event":"token".*\n\{"event":"error","error":\{"code":"failed".*\n$/,
      stderr: /NaN/,
      code: 1,
    },
  ])
})

describe.concurrent('reasoning', () => {
  testRows([
    {
      proves: ['err.think'],
      what: 'goes to stderr, the answer to stdout',
      argv: on(thinking, '?'),
      stdout: 'yes\n',
      stderr: /^hm so\n\n$/,
    },
    {
      proves: ['err.think'],
      what: 'is dropped',
      argv: on(thinking, '?', '--think', 'hide'),
      stdout: 'yes\n',
    },
    {
      proves: ['err.think'],
      what: 'alone',
      argv: on(thinking, '?', '--think', 'only'),
      stdout: 'hm so\n',
    },
    {
      proves: ['err.think'],
      what: 'is a field of its own in JSON',
      argv: on(thinking, '?', '--json'),
      stdout: /"text":"yes","reasoning":"hm so"/,
    },
    {
      proves: ['err.think'],
      what: 'is text in plain completion',
      argv: on(thinking, '?', '--raw'),
      stdout: '<think>\nhm so</think>\n\nyes\n',
    },
    {
      proves: ['err.think'],
      what: 'that does not come leaves the answer whole',
      argv: on(thinking, '!'),
      stdout: 'plain\n',
    },
  ])

  const inside = errorLines(
    'no answer: the limit of 2 tokens fell inside the reasoning',
    'a larger -n, or --think only for the reasoning itself',
  )
  const kept = join(folder, 'kept-from-reasoning')
  testRows([
    {
      proves: ['err.think', 'exit.1', 'out.file'],
      what: 'without an answer is no success, and leaves the old file',
      shell: `echo old > ${kept}; spout "$@"; code=$?; cat ${kept}; exit $code`,
      argv: on(thinking, '?', '-n', '2', '--think', 'hide', '-o', kept),
      stdout: 'old\n',
      stderr: inside,
      code: 1,
    },
    {
      proves: ['err.think', 'json.document', 'exit.1'],
      what: 'without an answer, as JSON, says so',
      argv: on(thinking, '?', '-n', '2', '--json', '--think', 'hide'),
      stdout: /"text":"","finish_reason":"reasoning"/,
      stderr: inside,
      code: 1,
    },
    {
      proves: ['err.think'],
      what: 'is an answer with --think only, and stop texts count in it',
      argv: on(thinking, '?', '--think', 'only', '--stop', 'so'),
      stdout: 'hm \n',
    },
    {
      proves: ['err.think', 'G6'],
      what: 'may hold a stop text, which counts in the answer only',
      argv: on(thinking, '?', '--think', 'hide', '--stop', 'so', '--stop', 'es', '--no-newline'),
      stdout: 'y',
    },
  ])

  test('[json.events err.think] events of tokens bear both', async () => {
    const { stdout } = await runHere(on(thinking, '?', '--jsonl'))
    const events = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    const tokens = events.filter(({ event }) => event === 'token')
    const end = events.at(-1)
    expect(tokens.map(({ text }) => text).join('')).toBe(end.text)
    expect(tokens.map(({ reasoning = '' }) => reasoning).join('')).toBe(end.reasoning)
    expect([end.text, end.reasoning, tokens.length]).toEqual(['yes', 'hm so', 5])
  })
})

describe.concurrent('figures and details', () => {
  test('[err.stats] one block on stderr', async () => {
    const { stdout, stderr } = await runHere(on(toy, 'a', '--stats', '--seed', '5'))
    expect(stdout).toBe('Hello, world\n')
    const number = '[\\d.]+'
    const lines = [
      `model {5}.* \\(fp32\\), loaded after ${number} m?s`,
      'runs {6}.*, \\d+ threads?, (c-api|node)',
      'template {2}the model has none: the text is completed',
      'sampling {2}greedy',
      `prompt {4}1 token in ${number} ms, ${number} tokens/s`,
      `first {5}byte after ${number} m?s`,
      `output {4}3 tokens, the others and the end token in ${number} ms, ${number} tokens/s`,
      `memory {4}${number} [MG]B at most`,
      'seed {6}5',
      'finish {4}stop',
    ]
    expect(stderr).toMatch(new RegExp(`^${lines.join('\\n')}\\n$`))
  })

  test('[err.verbose] what runs, with which settings, before the answer', async () => {
    const { stdout, stderr } = await runHere(['-m', toy, '-v', '-t', '0.7', '--seed', '5', 'a'], {
      stdin: '\u00e4',
      env: { SPOUT_THREADS: '1' },
    })
    expect(stdout).not.toBe('')
    expect(stderr).toMatch(/^spout: threads = 1 \(SPOUT_THREADS\)$/m)
    expect(stderr).toMatch(/^spout: 2 bytes of stdin stand before the words; --no-stdin leaves them$/m)
    expect(stderr).toMatch(/^spout: runs: .* \(fp32\), .*, 1 thread, (c-api|node)$/m)
    expect(stderr).toMatch(/^spout: sampling: temperature 0.7.*; seed 5$/m)
  })

  test('[err.stats] nothing is divided by nothing', async () => {
    const { stderr } = await runHere(on(toy, 'q', '--stats'))
    expect(stderr).toMatch(/^first {5}no output$/m)
    expect(stderr).toMatch(/^output {4}0 tokens$/m)
    expect(stderr).not.toMatch(/NaN|Infinity|undefined/)
  })

  test('[err.color] colour by request only, and not for the answer', async () => {
    const run = (...argv: string[]) =>
      runHere(on(toy, 'a', '--stats', ...argv), { env: { FORCE_COLOR: '1' } })
    const [auto, always, never] = await Promise.all([run(), run('--color', 'always'), run('--color=never')])
    const isColored = ({ stderr }: RunResult) => stderr.includes('\x1b[')
    expect([auto, always, never].map(isColored)).toEqual([false, true, false])
    expect(always.stdout).toBe('Hello, world\n')
  })
})

describe('a file', () => {
  const path = (name: string) => join(folder, name)
  const leftovers = () => readdirSync(folder).filter((name) => name.includes('.tmp'))

  test('[out.file] gets the answer, keeps its mode, and a link stays one', async () => {
    writeFileSync(path('old'), 'old', { mode: 0o640 })
    symlinkSync('old', path('link'))
    const { stdout, code } = await runHere(on(toy, 'a', '-o', path('link')))
    expect([stdout, code, readFileSync(path('old'), 'utf8')]).toEqual(['', 0, 'Hello, world\n'])
    expect(statSync(path('old')).mode & 0o777).toBe(0o640)
    expect(readFileSync(path('link'), 'utf8')).toBe('Hello, world\n')
  })

  test('[out.file G8] gets control characters as they are, and JSON', async () => {
    await Promise.all([
      runHere(on(toy, 'z', '-o', path('raw'), '--no-newline')),
      runHere(on(toy, 'a', '-o', path('json'), '--json')),
    ])
    expect(readFileSync(path('raw'), 'utf8')).toBe('\x1b[31m\x07bell\r\n\u009b1m')
    expect(JSON.parse(readFileSync(path('json'), 'utf8')).text).toBe('Hello, world')
  })

  test('[out.file P11] is as it was after a failure', async () => {
    writeFileSync(path('kept'), 'old')
    const { code, stdout } = await runHere(on(toy, 'f', '-o', path('kept')))
    expect([code, stdout, readFileSync(path('kept'), 'utf8')]).toEqual([1, '', 'old'])
    // The limit of a file's size stands for a full disk.
    const full = await runHere(on(toy, 'd', '-o', path('kept')), { shell: 'ulimit -f 1; spout "$@"' })
    expect(full.stderr).toMatch(errorLines(`${path('kept')}: cannot be written: EFBIG`))
    expect([full.code, readFileSync(path('kept'), 'utf8')]).toEqual([74, 'old'])
    expect(leftovers()).toEqual([])
  })

  testRows([
    {
      proves: ['out.file', 'exit.74'],
      what: 'in a folder that is not there: told before anything is loaded',
      argv: ['-m', '/never/looked/at', '-o', path('no/such'), 'x'],
      stderr: errorLines(`${path('no/such')}: cannot be written: ENOENT`, 'write elsewhere'),
      code: 74,
    },
    {
      proves: ['out.file'],
      what: 'that is a folder',
      argv: on(toy, '-o', folder, 'x'),
      stderr: errorLines(`${folder}: cannot be written: EISDIR`),
      code: 74,
    },
    {
      proves: ['P2', 'exit.74'],
      what: 'that is a full device',
      argv: on(toy, '-o', '/dev/full', 'a'),
      stderr: errorLines('/dev/full: cannot be written: ENOSPC', 'free some space, or write elsewhere'),
      code: 74,
    },
    {
      proves: ['out.file'],
      what: 'that is a descriptor: what was there stays, in a file, a pipe and a substitution',
      shell: `cd ${folder}; echo old > log
        { echo header; spout "$@" -o /dev/stdout; echo footer; } >> log
        spout "$@" -o /proc/self/fd/1 | cat >> log
        spout "$@" -o >(cat > substituted); wait $!; cat log substituted; [ -L /dev/stdout ]`,
      argv: on(toy, 'a'),
      stdout: `old\nheader\nHello, world\nfooter\n${'Hello, world\n'.repeat(2)}`,
    },
    {
      proves: ['out.file', 'exit.74'],
      what: 'in a folder that was deleted under the shell',
      shell: `mkdir ${path('gone')}; cd ${path('gone')}; rmdir ${path('gone')}; SPOUT_CACHE_DIR=c spout "$@"`,
      argv: on(toy, '-o', 'x', 'a'),
      stderr: errorLines('x: cannot be written: ENOENT', 'write elsewhere'),
      code: 74,
    },
    {
      proves: ['out.file'],
      what: 'called - is stdout',
      argv: on(toy, '-o', '-', 'a'),
      stdout: 'Hello, world\n',
    },
  ])

  test('nothing is left over', () => {
    expect(leftovers()).toEqual([])
    expect(existsSync(path('no'))).toBe(false)
  })
})

describe.concurrent('the embedded model', () => {
  const once = (...argv: string[]) => runHere(['--no-stdin', '-n', '40', 'Once upon a time', ...argv])

  test('[options.seed G9] the same seed gives the same bytes, as text and as JSON', async () => {
    const [text, json, other] = await Promise.all([
      once('--seed', '11', '--no-newline'),
      once('--seed', '11', '--json'),
      once('--seed', '12', '--no-newline'),
    ])
    expect(text.stdout.length).toBeGreaterThan(10)
    expect(JSON.parse(json.stdout).text).toBe(text.stdout)
    expect(other.stdout).not.toBe(text.stdout)
  })

  test('[options.defaults] the author wants sampling; a flag wants greedy', async () => {
    const [one, two] = await Promise.all([once('-t', '0', '--seed', '1'), once('-t', '0', '--seed', '2')])
    expect(one.stdout).toBe(two.stdout)
  })
})
