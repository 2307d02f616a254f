/** `spout filter`, `spout rank` and `spout score`, as a shell runs them. */
import { type ChildProcess, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { longName } from '../../src/cli/flags.ts'
import { FILTER_FLAGS, RANK_FLAGS, SCORE_FLAGS } from '../../src/cli/scoring-flags.ts'
import { errorLines, testRows } from '../support/cli-rows.ts'
import { runHere } from '../support/run-here.ts'
import { HOME, SPOUT, said } from '../support/run-spout.ts'
import { EOS, NAN, removeToys, type Step, TOY_TEMPLATE, toyModel } from '../support/toy-model.ts'

/** Of a line that ends with g it says yes, with b no; with x its logits are not finite. */
const scripts: Record<string, Step[]> = {
  g: ['y', 'e', 's', EOS],
  b: ['n', 'o', EOS],
  x: [NAN],
}
const toy = toyModel({ scripts, contextLength: 320, chatTemplate: TOY_TEMPLATE })
afterAll(removeToys)
const folder = mkdtempSync(join(HOME, 'filter-'))
let files = 0
const newFile = (content: string | Uint8Array): string => {
  const path = join(folder, `f${files++}`)
  writeFileSync(path, content)
  return path
}
const filter = (...argv: string[]): string[] => ['filter', '--model', toy, 'is so', ...argv]
const NOTE =
  'spout: not calibrated: P tells which is likelier, not how often it is right; --calibrate FILE fits it\n'
const noted = (more = ''): RegExp => new RegExp(`^${NOTE}${more}$`)
const LINES = 'one g\ntwo b\nthree g\n\nfour b\n'

describe.concurrent('what is printed', () => {
  testRows([
    {
      proves: ['filter.lines'],
      what: 'the lines that are, as they stand and in their order',
      argv: filter(),
      stdin: LINES,
      stdout: 'one g\nthree g\n',
      stderr: noted(),
    },
    {
      proves: ['filter.lines'],
      what: 'with -v the others, blank ones among them, so that the two are all',
      argv: filter('--invert-match'),
      stdin: LINES,
      stdout: 'two b\n\nfour b\n',
      stderr: noted(),
    },
    {
      proves: ['filter.lines'],
      what: 'bytes unchanged: line ends of any kind, blanks, a mark at the beginning, control characters',
      argv: filter(),
      stdin: '\ufeff  \x1b[1m\t g\r\nb\r\n€ \0 g\n b\nlast g',
      stdout: '\ufeff  \x1b[1m\t g\r\n€ \0 g\nlast g\n',
      stderr: noted(),
    },
    {
      proves: ['filter.flags'],
      what: 'numbers and scores before them',
      argv: filter('--line-number', '--scores', '--threshold', '0.2'),
      stdin: LINES,
      stdout: '1:1.0000\tone g\n3:1.0000\tthree g\n',
      stderr: noted(),
    },
    {
      proves: ['filter.flags'],
      what: 'how many there are',
      argv: filter('--count'),
      stdin: LINES,
      stdout: '2\n',
      stderr: noted(),
    },
    {
      proves: ['filter.flags'],
      what: 'so many and no more',
      argv: filter('--max-count', '1', '-n'),
      stdin: LINES,
      stdout: '1:one g\n',
      stderr: noted(),
    },
    {
      proves: ['filter.json'],
      what: 'lines of JSON come out as they are, by their text, or by what a template makes of them',
      argv: filter('--template', '{a}{b}', '--input', 'jsonl'),
      stdin: '{"a":"x", "b":"g"}\n{"a":"g","b":"b"}\n\n',
      stdout: '{"a":"x", "b":"g"}\n',
      stderr: noted(),
    },
    {
      proves: ['filter.json'],
      what: 'with --json what was found, for each',
      argv: filter('--json'),
      stdin: '{"id":7,"text":"a g"}\n"b"\n"c g"\n',
      stdout:
        /^\{"line":1,"id":7,"p_yes":0\.99\d*,"text":"a g"\}\n\{"line":3,"p_yes":0\.99\d*,"text":"c g"\}\n$/,
      stderr: noted(),
    },
    {
      proves: ['filter.flags'],
      what: 'a file, a question of plain text, few at once',
      argv: filter('-v', '--raw', '--parallel', '2', newFile('g\nb\n')),
      stdout: 'g\nb\n',
      stderr: noted(),
    },
  ])
})

/** As grep: 0 some, 1 none, 2 and above an error. */
describe.concurrent('how it ends', () => {
  const bad = Buffer.concat([Buffer.from('one g\n'), Buffer.from([0xff, 10]), Buffer.from('two g\n')])
  const utf8 = noted('spout: line 2: the line is not UTF-8\nspout: error: filter: 1 line has an error\n')
  const failing = /line 1: step \d+: the logit of id \d+ is NaN\nspout: error: filter: 1 line has an error\n$/
  testRows([
    ...(
      [
        [0, 'some', filter(), 'a g\n', 'a g\n', noted()],
        [1, 'none', filter(), 'a b\n', '', noted()],
        [1, 'none of none, and nothing is loaded', filter('--stats'), '', '', /^model {5}none was needed\n$/],
        [0, 'none, where that is well', filter('--ok-if-none'), 'a b\n', '', noted()],
        [1, 'none to count', filter('-c'), 'a b\n', '0\n', noted()],
        [0, 'none the other way round is some', filter('-v'), 'a b\n', 'a b\n', noted()],
        [0, 'some, and quiet', filter('--quiet'), 'a b\na g\nx\n', '', /^$/],
        [1, 'none, and quiet', filter('-q'), 'a b\n', '', /^$/],
        [2, 'a line that is not UTF-8', filter(), bad, 'one g\ntwo g\n', utf8],
        [2, 'a line that fails', filter(), 'x\na g\n', 'a g\n', failing],
        [2, 'a line that fails, and none', filter(), 'x\na b\n', '', failing],
        [2, 'a line that fails, where none is well', filter('--ok-if-none'), 'x\n', '', failing],
        [2, 'a line that fails, the other way round', filter('-v'), 'x\na g\n', '', failing],
        [
          2,
          'a line that fails, and none, quiet',
          filter('-q'),
          'x\n',
          '',
          errorLines('filter: 1 line has an error'),
        ],
        [2, 'a line that fails before enough', filter('-m', '1'), 'x\na g\na b\n', 'a g\n', failing],
        [
          2,
          'a line that is too long',
          filter(),
          `${'y'.repeat(400)}\na g\n`,
          'a g\n',
          /line 1: prompt: it is \d+ tokens, the context holds 320\n/,
        ],
        [
          2,
          'JSON without a text',
          filter(),
          '{"a":1}\n{"text":"g"}\n',
          '{"text":"g"}\n',
          /line 1: it has no text of the name text/,
        ],
        [
          2,
          'JSON that is none',
          filter('--input', 'jsonl'),
          '{"text":\n',
          '',
          /spout: line 1: not JSON: .*\nspout: error: filter: 1 line has an error\n$/,
        ],
        [
          2,
          'no criterion',
          ['filter'],
          '',
          '',
          errorLines('criterion: none given', 'spout filter "is about sport" < lines.txt'),
        ],
        [2, 'a flag that is none', filter('--banana'), '', '', /--banana: no such option/],
        [
          2,
          'flags that contradict each other',
          filter('-c', '--json'),
          '',
          '{"error":{"code":"usage","exit":2,"message":"--count and --json: only one of them at a time"}}\n',
          /only one of them/,
        ],
        [
          2,
          'two files',
          filter('a', 'b'),
          '',
          '',
          errorLines('input: more than one is named', 'cat them: cat a b | spout filter'),
        ],
        [
          2,
          'rows',
          filter('--template', '{a}'),
          'a,b\n1,2\n',
          '',
          /input: it looks like csv, and rows are not taken/,
        ],
        [66, 'no such file', filter(join(folder, 'none')), '', '', /not found/],
        [66, 'no such model', ['filter', '--model', 'org/none', 'is so'], 'a\n', '', /org\/none/],
        [124, 'out of time', filter('--timeout', '0.5'), 'open', '', /timeout: not done after 0\.5 s/],
      ] as const
    ).map(([code, what, argv, stdin, stdout, stderr]) => ({
      ...{ proves: ['filter.exit'], what: `${code}: ${what}`, argv, stdin, stdout, stderr, code },
    })),
  ])
})

describe('as it comes', () => {
  test('[filter.stream] a line is out before the next is read', async () => {
    let child: ChildProcess | undefined
    const onStart = (started: ChildProcess): void => {
      child = started
    }
    const running = runHere(filter('--scores'), { stdin: 'open', onStart })
    child!.stdin!.write('one g\n')
    await said(child!.stdout, '1.0000\tone g\n')
    child!.stdin!.end('two b\nthree g\n')
    const { stdout, code } = await running
    expect([stdout, code]).toEqual(['1.0000\tone g\n1.0000\tthree g\n', 0])
  })

  test('[filter.stream] -m 1 ends it with the first, though more could come', async () => {
    let child: ChildProcess | undefined
    const onStart = (started: ChildProcess): void => {
      child = started
    }
    const running = runHere(filter('-m', '1'), { stdin: 'open', onStart })
    child!.stdin!.write('one b\ntwo g\n')
    const { stdout, code } = await running
    expect([stdout, code]).toEqual(['two g\n', 0])
  })

  test('[filter.stream] -m 1 computes few of many lines', async () => {
    const many = Array.from({ length: 3000 }, (_, i) => `line ${i} g\n`).join('')
    const { stdout, stderr } = await runHere(filter('-m', '1', '--stats', '--parallel', '4'), {
      stdin: many,
    })
    expect(stdout).toBe('line 0 g\n')
    expect(Number(/^lines +(\d+) in/m.exec(stderr)![1])).toBeLessThan(40)
  })

  test('[filter.stream exit.141] a reader that leaves ends it, and nothing is said', async () => {
    const shell = 'yes "a g" | spout filter --model "$1" "is so" | head -1; echo "${PIPESTATUS[1]}"'
    const { stdout, stderr } = await runHere([toy], { shell })
    expect(stdout).toBe('a g\n141\n')
    expect(stderr).toBe(NOTE)
  })
})

describe('labelled lines', () => {
  const examples = Array.from({ length: 12 }, (_, i) => `line ${i} ${i % 2 ? 'g\tyes' : 'b\tno'}\n`).join('')

  test('[scoring.calibrated] fit what is trusted, and are told', async () => {
    const labelled = newFile(`text\tlabel\n${examples}`)
    const { stdout, stderr, code } = await runHere(filter('--calibrate', labelled, '--scores'), {
      stdin: LINES,
    })
    expect(stderr).toMatch(/^spout: calibrated on 12 lines: temperature 0\.05\d*, threshold 0\.500\n$/)
    expect([stdout, code]).toEqual(['1.0000\tone g\n1.0000\tthree g\n', 0])
  })

  test('[scoring.calibrated] that say the opposite trust nothing', async () => {
    const opposite = Array.from({ length: 12 }, (_, i) => `line ${i} ${i % 3 ? 'g\tno' : 'b\tyes'}\n`).join(
      '',
    )
    const { stdout, stderr, code } = await runHere(filter('--calibrate', newFile(opposite)), {
      stdin: LINES,
    })
    expect(stderr).toMatch(/temperature 20\.0, threshold none\n$/)
    expect([stdout, code]).toEqual(['', 1])
  })

  testRows(
    (
      [
        ['few', 'a g\tyes\n', /1 labelled lines are too few/],
        ['another label', `${examples}a\tmaybe\n`, /line 13: "maybe" is none of/],
        ['no label', `${examples}a g\n`, /line 13: there is no tab/],
      ] as const
    ).map(([what, content, stderr]) => ({
      ...{ proves: ['scoring.calibrated'], what, argv: filter('--calibrate', newFile(content)) },
      ...{ stdin: 'a g\n', stderr, code: 65 },
    })),
  )
})

describe.concurrent('rank', () => {
  const rank = (...argv: string[]): string[] => ['rank', '-m', toy, 'quality', ...argv]
  const lines = 'a b\nb g\nc b\nd g\n'
  testRows([
    {
      proves: ['rank.order'],
      what: 'the likeliest first, equal ones as they came; nothing is said',
      argv: rank(),
      stdin: lines,
      stdout: 'b g\nd g\na b\nc b\n',
    },
    {
      proves: ['rank.order'],
      what: 'the first of them, with their scores',
      argv: rank('--top', '3', '--scores'),
      stdin: lines,
      stdout: /^1\.0000\tb g\n1\.0000\td g\n0\.0000\ta b\n$/,
      stderr: noted(),
    },
    {
      proves: ['rank.order'],
      what: 'as JSON',
      argv: rank('--top', '1', '--json'),
      stdin: lines,
      stdout: /^\{"line":2,"p_yes":0\.99\d*,"text":"b g"\}\n$/,
      stderr: noted(),
    },
    {
      proves: ['rank.order'],
      what: 'a line that fails is told, the others are sorted: exit 1',
      argv: rank(),
      stdin: 'a b\nx\nb g\n',
      stdout: 'b g\na b\n',
      stderr: /^spout: line 2: step \d+: .*NaN\nspout: error: rank: 1 line has an error\n$/,
      code: 1,
    },
    {
      proves: ['rank.order'],
      what: 'no quality',
      argv: ['rank'],
      stderr: errorLines('quality: none given', 'spout rank "relevance to sailing" < lines.txt'),
      code: 2,
    },
  ])
})

/** The embedded model. */
describe.concurrent('score', () => {
  const [TEXT, OTHER] = ['The king is dead.', 'My dear Prince']
  testRows([
    {
      proves: ['score.texts'],
      what: 'a line each: logarithm, perplexity, tokens, text',
      argv: ['score'],
      stdin: `${TEXT}\n\n${OTHER}\n`,
      stdout: /^-\d+\.\d{6}\t\d+\.\d+\t4\tThe king is dead\.\n-\d+\.\d{6}\t\d+\.\d+\t\d\tMy dear Prince\n$/,
    },
    {
      proves: ['score.texts'],
      what: 'JSON in, JSON out, with a prompt of its own and the tokens',
      argv: ['score', '--per-token'],
      stdin: '{"id":"a","prompt":"The king","text":" is dead."}\n{"text":"a\\nb"}\n',
      check({ stdout }) {
        const [first, second] = stdout
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line))
        expect(first).toMatchObject({ line: 1, id: 'a', tokens: 3, windows: 1, text: ' is dead.' })
        expect(first.per_token.map(({ token }: { token: string }) => token)).toEqual([' is', ' dead', '.'])
        const sum = first.per_token.reduce((a: number, { logprob }: { logprob: number }) => a + logprob, 0)
        expect(first.logprob).toBeCloseTo(sum, 10)
        expect(first.perplexity).toBeCloseTo(Math.exp(-sum / 3), 8)
        expect(second.text).toBe('a\nb')
      },
      stdout: /^\{.*\n\{.*\n$/,
    },
    {
      proves: ['score.texts'],
      what: 'a prompt for all, tokens as lines',
      argv: ['score', '--prompt', 'The king', '--per-token'],
      stdin: ' is\n',
      stdout: /^(-\d+\.\d{6})\t" is"\n\1\t\d+\.\d+\t1\t is\n$/,
    },
    {
      proves: ['score.texts'],
      what: 'a whole input, longer than the context, and its end of the last line',
      argv: ['score', '--whole', '--json', '--ctx-size', '256'],
      stdin: `${TEXT}\n`.repeat(200),
      check({ stdout }) {
        const { windows, tokens, text } = JSON.parse(stdout)
        expect([windows > 1, text]).toEqual([true, `${TEXT}\n`.repeat(200)])
        expect(tokens).toBeGreaterThan(800)
      },
      stdout: /^\{.*\n$/,
    },
    {
      proves: ['score.texts'],
      what: 'a text of one token is an error of its own: exit 1',
      argv: ['score'],
      stdin: `a\n${TEXT}\n`,
      stdout: /^-.*\tThe king is dead\.\n$/,
      stderr: /^spout: line 1: text: there is no token to score\nspout: error: score: 1 line has an error\n$/,
      code: 1,
    },
    {
      proves: ['score.texts'],
      what: 'a prompt that is no text',
      argv: ['score'],
      stdin: '{"prompt":1,"text":"a"}\n',
      stderr: /line 1: prompt: it is not a text/,
      code: 1,
    },
    {
      proves: ['score.texts'],
      what: 'nothing of nothing, and nothing is loaded',
      argv: ['score', '--stats'],
      stdin: '',
      stderr: /^model {5}none was needed\n$/,
    },
  ])
})

test.each([
  ['filter', FILTER_FLAGS],
  ['rank', RANK_FLAGS],
  ['score', SCORE_FLAGS],
])('[filter.flags] %s --help tells of every flag', (name, flags) => {
  const { stdout, status } = spawnSync(process.execPath, [SPOUT, name, '--help'], { encoding: 'utf8' })
  expect(status).toBe(0)
  for (const flag of flags) expect(stdout).toContain(longName(flag))
})

test('[filter.flags] every flag of the verbs is given by its long name', () => {
  const source = readFileSync(import.meta.filename, 'utf8')
  const own = [...FILTER_FLAGS, ...RANK_FLAGS, ...SCORE_FLAGS].map(longName)
  const shared = new Set(SHARED)
  expect(own.filter((name) => !shared.has(name) && !source.includes(`'${name}'`))).toEqual([])
})

/** Those of the table of all flags: they are given in other files. */
const SHARED = [
  // test/cli/engine.test.ts
  ...['--engine', '--engine-key-file'],
  // test/cli/worker.test.ts
  '--keep-alive',
  ...[
    '--dtype',
    '--device',
    '--threads',
    '--ctx-size',
    '--cache-dir',
    '--precise',
    '--no-prepare',
    '--offline',
  ],
  ...['--allow-special', '--color', '--verbose', '--runtime', '--system', '--system-file', '--chat-template'],
  '--template-arg',
]
