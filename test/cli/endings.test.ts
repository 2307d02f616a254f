/** How runs end that cannot succeed: broken models, exhausted systems, errors nobody foresaw. */
import { cpSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { ENDINGS } from '../../src/cli/help/endings.ts'
import { EXIT_CODES } from '../../src/errors.ts'
import { testRows } from '../support/cli-rows.ts'
import { HOME, runSpout } from '../support/run-spout.ts'
import { EOS, removeToys, TOY_TEMPLATE, toyModel } from '../support/toy-model.ts'

const toy = toyModel({ scripts: { a: ['Hello', EOS] } })
/** Rendering is watched over, which takes descriptors too. */
const withTemplate = toyModel({ scripts: { a: ['Hello', EOS] }, chatTemplate: TOY_TEMPLATE })
afterAll(removeToys)

/** A copy of the model with something broken in it. */
function broken(breakIt: (folder: string) => void): string[] {
  const folder = mkdtempSync(join(HOME, 'broken-'))
  cpSync(toy, folder, { recursive: true })
  breakIt(folder)
  return ['-m', folder, '--no-stdin', 'a']
}

describe.concurrent('a model that is broken', () => {
  const ending = { proves: ['exit.78'], code: 78 }
  testRows([
    {
      ...ending,
      what: 'a graph cut short',
      argv: broken((folder) => truncateSync(join(folder, 'onnx/model.onnx'), 1000)),
      stderr: /^spout: error: model.*\n(spout: hint: .*\n)?$/,
    },
    {
      ...ending,
      what: 'a graph that is text',
      argv: broken((folder) => writeFileSync(join(folder, 'onnx/model.onnx'), 'version https://')),
      stderr: /^spout: error: model.*\n(spout: hint: .*\n)?$/,
    },
    {
      ...ending,
      what: 'a config that is no JSON',
      argv: broken((folder) => writeFileSync(join(folder, 'config.json'), '{')),
      stderr: /^spout: error: config\.json.*\n(spout: hint: .*\n)?$/,
    },
    {
      ...ending,
      what: 'a tokenizer that is no JSON',
      argv: broken((folder) => writeFileSync(join(folder, 'tokenizer.json'), '[')),
      stderr: /^spout: error: tokenizer.*\n(spout: hint: .*\n)?$/,
    },
    {
      proves: ['exit.66'],
      code: 66,
      what: 'a folder without a graph',
      argv: broken((folder) => rmSync(join(folder, 'onnx'), { recursive: true })),
      stderr: /^spout: error: .*: no ONNX graph of a text model\nspout: hint: .*\n$/,
    },
    {
      proves: ['exit.66'],
      code: 66,
      what: 'a dtype that is not there',
      argv: ['-m', toy, '--dtype', 'q4', '--no-stdin', 'a'],
      stderr: /^spout: error: .*: no file of dtype q4\nspout: hint: --dtype fp32\n$/,
    },
  ])
})

/** A module that is loaded before the program, and fails while it waits for stdin. */
const bomb = join(HOME, 'bomb.mjs')
writeFileSync(bomb, "setTimeout(() => { throw new Error('\\x1b[31mboom\\nhf_secret') }, 700)\n")

describe.concurrent('what nobody foresaw', () => {
  const env = { NODE_OPTIONS: `--import=${bomb}` }
  testRows([
    {
      proves: ['P10', 'exit.70', 'error.clean'],
      what: 'is one line, and what to do',
      argv: ['-m', toy, 'a'],
      stdin: 'open',
      env,
      stderr:
        /^spout: error: internal error: \\x1b\[31mboom hf_secret\nspout: hint: SPOUT_DEBUG=1 shows where; please report it\n$/,
      code: 70,
    },
    {
      proves: ['error.clean', 'json.error'],
      what: 'has its stack by request, and is a document for who wants JSON',
      argv: ['-m', toy, 'a', '--json'],
      stdin: 'open',
      env: { ...env, SPOUT_DEBUG: '1' },
      stderr: /\n {4}at .*bomb\.mjs/,
      stdout: /^\{"error":\{"code":"internal","exit":70,"message":"internal error: [^\n]*"\}\}\n$/,
      code: 70,
    },
  ])
})

test('[exit.71] too few descriptors', async () => {
  // From too few for Node itself to begin (22 and 24 need more than 20) to enough for all of it.
  const limits = Array.from({ length: 16 }, (_, i) => 16 + i)
  const run = (limit: number) =>
    runSpout(['-m', withTemplate, '--no-stdin', 'a'], { shell: `ulimit -n ${limit}; spout "$@"` })
  const results = await Promise.all(limits.map(run))
  for (const { stderr } of results) expect(stderr).not.toContain('Watchdog')
  const ours = results.filter(({ stderr }) => stderr.includes('spout: '))
  expect(ours.length).toBeGreaterThan(0)
  for (const { code, stderr } of ours) {
    // A library inside ONNX Runtime says something of its own.
    expect(stderr.replace(/^Error in cpuinfo: .*\n/gm, '')).toMatch(
      /^spout: error: system: EMFILE.*\nspout: hint: ulimit -a shows the limits\n$/,
    )
    expect(code).toBe(71)
  }
})

test('[error.clean] a token of the environment is in no message', async () => {
  const env = { HF_TOKEN: 'hf_CANARY', HUGGING_FACE_HUB_TOKEN: 'hf_CANARY', SPOUT_DEBUG: '1' }
  const runs = await Promise.all([
    runSpout(['-m', 'org/name', '--no-stdin', '-v', 'a'], { env }),
    runSpout(['-m', toy, '--no-stdin', '--trace', '-v', '--stats', '--json', 'a'], { env }),
  ])
  for (const { stdout, stderr } of runs) expect(stdout + stderr).not.toContain('CANARY')
})

test('the list of exit codes has every code, and no other', () => {
  const listed = ENDINGS.flatMap(([codes]) => codes.split(' ').map(Number))
  const signals = [129, 130, 143, 141]
  expect(listed.toSorted()).toEqual([0, ...Object.values(EXIT_CODES), ...signals].toSorted())
})
