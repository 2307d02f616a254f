/** `spout --choices`, as a shell runs it. */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { softmax } from '../../src/scoring/decide.ts'
import { errorLines, testRows } from '../support/cli-rows.ts'
import { runHere } from '../support/run-here.ts'
import { HOME } from '../support/run-spout.ts'
import { EOS, NAN, removeToys, type Step, TOY_TEMPLATE, toyModel } from '../support/toy-model.ts'

const scripts: Record<string, Step[]> = { g: ['y', 'e', 's', EOS], b: ['n', 'o', EOS], x: [NAN] }
const toy = toyModel({ scripts, contextLength: 200, chatTemplate: TOY_TEMPLATE })
afterAll(removeToys)
const folder = mkdtempSync(join(HOME, 'choices-'))
let files = 0
const newFile = (content: string): string => {
  const path = join(folder, `f${files++}`)
  writeFileSync(path, content)
  return path
}
const choose = (choices: string, ...argv: string[]): string[] => ['-m', toy, '--choices', choices, ...argv]

describe.concurrent('the answer', () => {
  const file = newFile('yes\n\nno\n')
  testRows([
    {
      proves: ['choices.answer'],
      what: 'is the likeliest, and nothing is said',
      argv: choose('yes,no'),
      stdin: 'a g',
      stdout: 'yes\n',
    },
    {
      proves: ['choices.answer'],
      what: 'is the same in any order',
      argv: choose('maybe,no, yes'),
      stdin: 'a g',
      stdout: 'yes\n',
    },
    {
      proves: ['choices.answer'],
      what: 'is one of a file, and has no newline where none is wanted',
      argv: choose(file, '--no-newline', 'a', 'b'),
      stdout: 'no',
    },
    {
      proves: ['choices.answer'],
      what: 'is one of a file by its mark',
      argv: choose(`@${file}`, 'a b'),
      stdout: 'no\n',
    },
    {
      proves: ['choices.else'],
      what: 'is another where the likeliest is not likely enough',
      argv: choose('yes,no', '--min-p', '0.9', '--else', 'unsure', 'hm'),
      stdout: 'unsure\n',
      stderr: /^spout: not calibrated: /,
    },
    {
      proves: ['choices.else'],
      what: 'is the likeliest where that is likely enough',
      argv: choose('yes,no', '--min-p', '0.9', '--else', 'unsure', '-q', 'a g'),
      stdout: 'yes\n',
    },
    {
      proves: ['choices.prior'],
      what: 'says with --verbose that there is no prior without an input',
      argv: choose('yes,no', '-v', 'a g'),
      stdout: 'yes\n',
      stderr: /choices: no prior, [\s\S]*not calibrated[\s\S]*yes: P 1\.0000, ln -0\.0/,
    },
    {
      proves: ['choices.answer'],
      what: 'has figures with --stats',
      argv: choose('yes,no', '--stats', 'a g'),
      stdout: 'yes\n',
      stderr:
        /^model .*\nprompt +\d+ tokens\nchoice +yes: \d\.\d{4}, \d\.\d{4} before the next\ntime +\d+\.\d{3} s\n$/,
    },
    {
      proves: ['choices.answer'],
      what: 'that cannot be computed is exit 1',
      argv: choose('yes,no', 'a x'),
      stderr: /step \d+: the logit of id \d+ is NaN/,
      code: 1,
    },
    {
      proves: ['choices.answer'],
      what: 'to a question that does not fit is exit 65',
      argv: choose('yes,no', 'g'.repeat(300)),
      stderr: /the context holds 200/,
      code: 65,
    },
  ])
})

describe.concurrent('what is refused', () => {
  const refused: readonly (readonly [string, readonly string[], RegExp, number?])[] = [
    ['one choice', choose('yes', 'a'), errorLines('choices: at least two are needed')],
    ['an empty choice', choose('yes,,no', 'a'), errorLines('choices: one is empty')],
    ['one twice', choose('yes,no,yes', 'a'), errorLines('choices: "yes" is there twice')],
    ['a file that is not there', choose('@none', 'a'), errorLines('none: not found'), 66],
    ['a structure', choose('yes,no', '--choice', 'a', 'a'), /--choices and --choice: only one of them/],
    ['sampling', choose('yes,no', '-t', '0', 'a'), /--choices and --temperature: only one of them/],
    ['--min-p without --else', choose('yes,no', '--min-p', '0.5', 'a'), /needs --else/],
    ['--else alone', ['--else', 'x', 'a'], errorLines('--else: needs --choices')],
    ['--calibrate alone', ['--calibrate', 'x', 'a'], errorLines('--calibrate: needs --choices')],
    ['--no-choice-prior alone', ['--no-choice-prior', 'a'], errorLines('--no-choice-prior: needs --choices')],
    ['a special token', choose('<|end|>,no', 'a'), errorLines('choices: <|end|> is a special token')],
  ]
  testRows(
    refused.map(([what, argv, stderr, code = 2]) => ({
      proves: ['choices.answer'],
      what,
      argv,
      stderr,
      code,
    })),
  )
})

interface Document {
  readonly text: string
  readonly choice: string
  readonly probability: number
  readonly margin: number
  readonly unsure: boolean
  readonly calibration: unknown
  readonly choices: readonly { choice: string; probability: number; logprob: number; prior: number | null }[]
}

async function documentOf(argv: readonly string[], stdin: string): Promise<Document> {
  const { stdout, stderr, code } = await runHere(['--json', '--quiet', ...argv], { stdin })
  expect([code, stderr]).toEqual([0, ''])
  return JSON.parse(stdout) as Document
}

/** The embedded model. */
describe.concurrent('probabilities', () => {
  const asked = ['--choices', 'the King,the Queen,a Servant', 'Who says so?']

  test('[choices.json choices.prior] are the softmax of the logarithms less the priors', async () => {
    const { choices, choice, probability, margin, text, unsure, calibration } = await documentOf(
      asked,
      'My crown!',
    )
    const expected = softmax(choices.map(({ logprob, prior }) => logprob - prior!))
    for (const [i, each] of choices.entries()) expect(each.probability).toBeCloseTo(expected[i]!, 12)
    const [best, next] = [...expected].sort((a, b) => b - a)
    expect([choice, text]).toEqual([text, choices.find((each) => each.probability === probability)!.choice])
    expect(probability).toBeCloseTo(best!, 12)
    expect(margin).toBeCloseTo(best! - next!, 12)
    expect([unsure, calibration]).toEqual([false, null])
  })

  test('[choices.prior] --no-choice-prior leaves the logarithms as they are', async () => {
    const [with_, without] = await Promise.all([
      documentOf(asked, 'My crown!'),
      documentOf(['--no-choice-prior', ...asked], 'My crown!'),
    ])
    expect(without.choices.map(({ prior }) => prior)).toEqual([null, null, null])
    const logprobs = without.choices.map(({ logprob }) => logprob)
    expect(logprobs).toEqual(with_.choices.map(({ logprob }) => logprob))
    const expected = softmax(logprobs)
    for (const [i, each] of without.choices.entries()) expect(each.probability).toBeCloseTo(expected[i]!, 12)
  })
})

describe('labelled inputs', () => {
  const labelled = newFile(
    Array.from({ length: 12 }, (_, i) => `line ${i} ${i % 2 ? 'g\tyes' : 'b\tno'}\n`).join(''),
  )

  test('[scoring.calibrated] fit temperature and threshold, and the file is told', async () => {
    const out = join(folder, 'out.json')
    const argv = choose('yes,no', '--calibrate', labelled, '--else', 'unsure', '--json', '-o', out)
    const { stderr, code } = await runHere(argv, { stdin: 'a g' })
    expect(stderr).toMatch(/^spout: calibrated on 12 lines: temperature 0\.05\d*, threshold 0\.00\n$/)
    expect(code).toBe(0)
    const { text, calibration } = JSON.parse(readFileSync(out, 'utf8')) as Document
    expect(text).toBe('yes')
    expect(calibration).toMatchObject({ threshold: 0, examples: 12 })
  })

  testRows([
    {
      proves: ['scoring.calibrated'],
      what: 'with another label',
      argv: choose('yes,maybe', '--calibrate', labelled, 'a g'),
      stderr: /line 1: "no" is none of yes, maybe/,
      code: 65,
    },
  ])
})
