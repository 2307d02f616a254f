/** The table of flags: every flag, every range, without a process. */
import { describe, expect, test } from 'vitest'
import { FLAGS, longName, optionKey } from '../../src/cli/flags.ts'
import type { Options } from '../../src/cli/options.ts'
import { parseCommandLine, Requested } from '../../src/cli/program.ts'
import { checkFlags, requestOptions } from '../../src/cli/request-from-flags.ts'

const parse = (argv: readonly string[]) =>
  parseCommandLine<Options>(argv, {
    name: 'spout',
    flags: FLAGS,
    help: () => 'help',
    version: () => 'version',
    words: true,
  })

const WHOLE = 'a whole number from 0 to 2147483647'

test.each([
  ...['', '5abc', '0x10', '1e3', 'NaN', 'Infinity', '1_000', '9007199254740992', ' 5', '5.0', '+5', '٣'].map(
    (text) => ['--max-tokens', text, WHOLE] as const,
  ),
  ...['', '1e-3', '0x1', 'NaN', 'Infinity', '1_0', '.', '--5', '1,5'].map(
    (text) => ['--temperature', text, 'a number from 0 to 100'] as const,
  ),
  ['--temperature', '100.5', 'a number from 0 to 100'],
  ['--temperature', '-0.1', 'a number from 0 to 100'],
  ['--top-p', '1.5', 'a number from 0 to 1'],
  ['--min-p', '-0.1', 'a number from 0 to 1'],
  ['--typical-p', '0', 'a number above 0, up to 1'],
  ['--top-k', '-1', WHOLE],
  ['--repetition-penalty', '0', 'a number from 0.01 to 100'],
  ['--repeat-last-n', '-2', 'a whole number from -1 to 1048576'],
  ['--presence-penalty', '3', 'a number from -2 to 2'],
  ['--frequency-penalty', '-3', 'a number from -2 to 2'],
  ['--no-repeat-ngram-size', '2.5', 'a whole number from 0 to 1048576'],
  ['--min-new-tokens', '-1', WHOLE],
  ['--logit-bias', '5', 'id=x, for example 42=-100'],
  ['--logit-bias', '5=101', 'a number from -100 to 100'],
  ['--logit-bias', '-5=1', WHOLE],
  ['--max-tokens', '-1', WHOLE],
  ['--threads', '0', 'a whole number from 1 to 4096'],
  ['--threads', '4097', 'a whole number from 1 to 4096'],
  ['--ctx-size', '1', 'a whole number from 2 to 2147483647'],
  ['--seed', '-1', 'a whole number from 0 to 18446744073709551615'],
  ['--seed', '18446744073709551616', 'a whole number from 0 to 18446744073709551615'],
  ['--timeout', '0', 'a number above 0, up to 1048576'],
  ['--logprobs', '101', 'a whole number from 0 to 100'],
  ['--dtype', 'q5', 'one of auto, fp32, fp16, q8, int8, uint8, q4, q4f16, bnb4'],
  ['--device', 'cuda', 'one of auto, cpu, gpu'],
  ['--color', 'yes', 'one of auto, always, never'],
  ['--think', 'maybe', 'one of show, hide, only'],
  ['--runtime', 'web', 'one of auto, c-api, node'],
  ['--stop', '', 'a text of at least one character'],
  ['--output', '', 'a text of at least one character'],
  ['--template-arg', 'x', 'key=value, for example enable_thinking=false'],
] as const)('[A2 A3 options.strict] %s %j', (flag, text, range) => {
  const value = flag === '--logit-bias' && text.includes('=') ? (text.startsWith('-') ? '-5' : '101') : text
  expect(() => parse([`${flag}=${text}`])).toThrow(
    expect.objectContaining({
      code: 'usage',
      message: `${flag}: ${JSON.stringify(value)} is not ${range}`,
    }),
  )
})

test('[A2] the edges of a range are in it', () => {
  const edges = ['-t', '0', '--top-p=1', '--top-k', '2147483647', '--repeat-last-n', '-1', '--seed']
  const { options } = parse([...edges, '18446744073709551615', '--timeout', '.5', '--logit-bias', '0=-100'])
  expect(options).toMatchObject({ temperature: 0, topP: 1, topK: 2147483647, repeatLastN: -1, timeout: 0.5 })
  expect(options.seed).toBe(18446744073709551615n)
  expect(options.logitBias).toEqual([[0, -100]])
})

describe('words', () => {
  test('[options.after] options may stand anywhere; -- ends them', () => {
    const { words, options } = parse(['a', '--json', 'b', '-n', '3', '--', '-q', '--json'])
    expect(words).toEqual(['a', 'b', '-q', '--json'])
    expect(options).toMatchObject({ json: true, maxTokens: 3 })
  })

  test('short flags run together, and with their values', () => {
    expect(parse(['-vn5', '-t0.5', 'x']).options).toMatchObject({
      verbose: true,
      maxTokens: 5,
      temperature: 0.5,
    })
  })

  test('help and version stop everything else', () => {
    expect(() => parse(['x', '-h', '--no-such'])).toThrow(Requested)
    expect(() => parse(['-V'])).toThrow(expect.objectContaining({ text: 'version' }))
  })
})

test('[A4] a flag is refused when it comes twice, unless it collects', () => {
  const value: Record<string, string> = {
    '--logit-bias': '1=1',
    '--template-arg': 'a=b',
    '--dtype': 'q4',
    '--device': 'cpu',
    '--think': 'hide',
    '--color': 'auto',
    '--runtime': 'auto',
    '--bench-arms': 'all',
    '--bench-arm': 'a=',
    '--bench-pairs': '10',
    '--engine': 'http://127.0.0.1:1',
    '--keep-alive': '1m',
  }
  for (const flag of FLAGS) {
    const name = longName(flag)
    const once = flag.flags.includes('<')
      ? [name, value[name] ?? (Array.isArray(flag.values) ? (flag.values[0] as string) : '2')]
      : [name]
    if (name === '--typical-p') once[1] = '1'
    if (/^--(top-p|min-p)$/.test(name)) once[1] = '1'
    const twice = () => parse([...once, ...once])
    if (flag.repeatable) expect(twice().options).toHaveProperty(optionKey(flag))
    else expect(twice, name).toThrow(`${name}: given twice`)
  }
})

test('[A4] flags that contradict each other', () => {
  const check = (...argv: string[]) => checkFlags(parse(argv).options)
  expect(() => check('--system', 'a', '--system-file', 'b')).toThrow('--system and --system-file: only one')
  expect(() => check('-q', '-v')).toThrow('--quiet and --verbose: only one')
  expect(() => check('--raw', '--chat-template', 'x')).toThrow('--raw and --chat-template: only one')
  expect(() => check('--json', '--think', 'only')).toThrow('--json and --think: only one')
  expect(() => check('--logprobs')).toThrow('--logprobs: needs --json or --jsonl')
  expect(() => check('--json', '--logprobs', '--quiet', '--stats')).not.toThrow()
})

test('every flag of a request arrives in it', () => {
  const { options } = parse([
    ...['--raw', '--allow-special', '-n', '7', '--stop', 'a', '--stop', 'b', '--ignore-eos', '--json'],
    ...['-t', '1', '--top-k', '2', '--top-p', '0.3', '--min-p', '0.4', '--typical-p', '0.5'],
    ...['--repetition-penalty', '1.6', '--repeat-last-n', '7', '--presence-penalty', '0.8'],
    ...['--frequency-penalty', '0.9', '--no-repeat-ngram-size', '10', '--min-new-tokens', '11'],
    ...['--logit-bias', '12=1', '--logit-bias', '13=-1', '--seed', '14', '--logprobs', '15'],
  ])
  expect(requestOptions(options)).toEqual({
    raw: true,
    allowSpecial: true,
    maxTokens: 7,
    stopStrings: ['a', 'b'],
    stopInReasoning: false,
    ignoreEos: true,
    templateArgs: {},
    sampling: {
      temperature: 1,
      topK: 2,
      topP: 0.3,
      minP: 0.4,
      typicalP: 0.5,
      repetitionPenalty: 1.6,
      repeatLastN: 7,
      presencePenalty: 0.8,
      frequencyPenalty: 0.9,
      noRepeatNgramSize: 10,
      minNewTokens: 11,
      logitBias: new Map([
        [12, 1],
        [13, -1],
      ]),
      seed: 14n,
      logprobs: 15,
    },
  })
})

test('a template argument is JSON where it reads as JSON', () => {
  const { options } = parse(['--template-arg', 'a=false', '--template-arg', 'b=x=y', '--template-arg', 'c='])
  expect(requestOptions(options).templateArgs).toEqual({ a: false, b: 'x=y', c: '' })
})
