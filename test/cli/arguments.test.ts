/** What may be written on the command line, and what is said of the rest. Nothing here loads a model. */
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { EXIT_CODES } from '../../src/errors.ts'
import { errorLines, type Row, testRows } from '../support/cli-rows.ts'
import { HOME } from '../support/run-spout.ts'

const WHOLE = 'a whole number from 0 to 2147483647'

describe.concurrent('flags', () => {
  testRows([
    {
      proves: ['A1', 'exit.2', 'error.lines'],
      what: 'an unknown flag names the nearest',
      argv: ['--tempreature', '0', 'x'],
      stderr: errorLines('--tempreature: no such option', 'did you mean --temperature'),
      code: EXIT_CODES.usage,
    },
    {
      proves: ['A1'],
      what: 'a prompt that looks like a flag is told how to be one',
      argv: ['-x'],
      stderr: errorLines('-x: no such option', 'spout help options; a prompt: spout -- -x'),
      code: 2,
    },
    {
      proves: ['A1'],
      what: 'a missing value',
      argv: ['x', '--max-tokens'],
      stderr: errorLines('--max-tokens: a value is missing'),
      code: 2,
    },
    {
      proves: ['A1', 'A3'],
      what: 'a negative number is a value, and out of range',
      argv: ['-t', '-1', 'x'],
      stderr: errorLines('--temperature: "-1" is not a number from 0 to 100'),
      code: 2,
    },
    {
      proves: ['options.strict', 'A2', 'json.error'],
      what: 'a number with something after it, in JSON too',
      argv: ['-n', '5abc', '--json', 'x'],
      stderr: errorLines(`--max-tokens: "5abc" is not ${WHOLE}`),
      stdout: `{"error":{"code":"usage","exit":2,"message":"--max-tokens: \\"5abc\\" is not ${WHOLE}"}}\n`,
      code: 2,
    },
    {
      proves: ['json.error'],
      what: 'an error as an event',
      argv: ['--jsonl', '--top-k', '0x10', 'x'],
      stderr: errorLines('--top-k: "0x10" is not a whole number from 0 to 2147483647'),
      stdout: /^\{"event":"error","error":\{"code":"usage","exit":2,"message":"--top-k: .*"\}\}\n$/,
      code: 2,
    },
    {
      proves: ['json.error'],
      what: 'after -- --json is a prompt',
      argv: ['-n', 'x', '--', '--json'],
      stderr: /^spout: error: --max-tokens: "x" is not/,
      code: 2,
    },
    {
      proves: ['A4'],
      what: 'a flag given twice',
      argv: ['--seed', '1', '--seed', '2', 'x'],
      stderr: errorLines('--seed: given twice'),
      code: 2,
    },
    {
      proves: ['A4'],
      what: 'flags that contradict each other',
      argv: ['--json', '--jsonl', 'x'],
      stderr: errorLines('--json and --jsonl: only one of them at a time'),
      stdout: /^\{"event":"error"/,
      code: 2,
    },
    {
      proves: ['A4'],
      what: 'a flag that needs another',
      argv: ['--logprobs', '2', 'x'],
      stderr: errorLines('--logprobs: needs --json or --jsonl', 'add --json'),
      code: 2,
    },
    {
      proves: ['A1'],
      what: 'an optional value that took the prompt',
      argv: ['--json', '--logprobs', 'Once'],
      stderr: errorLines(
        '--logprobs: "Once" is not a whole number from 0 to 100',
        'put --logprobs after the prompt, or give it a value',
      ),
      stdout: /"usage"/,
      code: 2,
    },
    {
      proves: ['A5', 'help.short'],
      what: '--help fits a screen, whatever the configuration',
      argv: ['--help', 'x'],
      env: { XDG_CONFIG_HOME: brokenConfig('{'), SPOUT_MODEL: 'no/such', SPOUT_THREADS: 'many' },
      stdout: /^Usage: spout \[options\] \[prompt\.\.\.\]\n[\s\S]*All options: spout help options/,
      check: ({ stdout }) => {
        expect(stdout.split('\n').length).toBeLessThan(50)
        expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(88)
      },
    },
    {
      proves: ['A5'],
      what: '--version',
      argv: ['--version'],
      env: { XDG_CONFIG_HOME: brokenConfig('{') },
      stdout: /^\d+\.\d+\.\d+\n$/,
    },
    {
      proves: ['A5', 'exit.141'],
      what: '--help into a pipe that is closed',
      shell: 'set -o pipefail; spout --help | true; echo $?',
      stdout: /^(0|141)\n$/,
    },
  ])
})

describe.concurrent('model names', () => {
  const row = (model: string, proves: string[], message: string, code = 2): Row => ({
    proves,
    what: JSON.stringify(model),
    argv: ['-m', model, '--no-stdin', 'x'],
    stderr: new RegExp(`^spout: error: ${message}`),
    code,
  })
  testRows([
    row('../../etc/nothing', ['A6'], 'model: "\\.\\./\\.\\./etc/nothing" is neither'),
    row('a/b/c', ['A6'], 'model: "a/b/c" is neither a folder nor a model id'),
    row('x\n y', ['A6', 'error.clean'], 'model: "x\\\\n y" is neither'),
    row('org/name@../../x', ['A7'], 'model: "\\.\\./\\.\\./x" is not a revision'),
    row('org/name@refs/pr/1', ['A7', 'exit.66'], 'org/name@refs/pr/1: not .*cache', 66),
    row('', ['A2'], '--model: "" is not a text of at least one character'),
  ])
})

function brokenConfig(text: string): string {
  const folder = mkdtempSync(join(HOME, 'config-'))
  mkdirSync(join(folder, 'spout'))
  writeFileSync(join(folder, 'spout/config.json'), text)
  return folder
}
