import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { SpoutError } from '../../src/errors.ts'
import { withTimeLimit } from '../../src/system/time-limit.ts'
import { createTokenizer } from '../../src/tokenizer/load-tokenizer.ts'
import { parseTokenizerJson } from '../../src/tokenizer/tokenizer-json.ts'
import { processorTime } from '../support/processor-time.ts'

/** A split that takes twice as long for every letter more. */
const EXPLOSIVE = {
  model: { type: 'BPE', vocab: { a: 0, '!': 1 }, merges: [] },
  pre_tokenizer: { type: 'Split', pattern: { Regex: '(a+)+$' }, behavior: 'Isolated', invert: false },
}
const TEXT = `${'a'.repeat(60)}!`

test('a pattern that explodes ends as an unusable model within 10 seconds, and the tokenizer lives on', () => {
  const tokenizer = createTokenizer(parseTokenizerJson(JSON.stringify(EXPLOSIVE)))
  const spent = processorTime()
  expect(() => tokenizer.encode(TEXT)).toThrow(expect.objectContaining({ code: 'config', exitCode: 78 }))
  expect(spent()).toBeLessThan(10_000)
  expect([...tokenizer.encode('aa')]).toEqual([0, 0])
})

test('work within the limit gives its result, and its own errors', () => {
  const limit = { ms: 1000, error: () => new SpoutError('config', 'late') }
  expect(withTimeLimit(() => 6 * 7, limit)).toBe(42)
  const mistake = new TypeError('mine')
  const fail = () => {
    throw mistake
  }
  expect(() => withTimeLimit(fail, limit)).toThrow(mistake)
})

const BUILT = 'dist/tokenizer/load-tokenizer.js'

describe.skipIf(!existsSync(BUILT))('while a pattern explodes (needs npm run build)', () => {
  const program = `
    import { createTokenizer } from './${BUILT}'
    import { parseTokenizerJson } from './dist/tokenizer/tokenizer-json.js'
    if (process.argv[1] === 'listen') process.on('SIGINT', () => { console.log('heard'); process.exitCode = 7 })
    const tokenizer = createTokenizer(parseTokenizerJson(${JSON.stringify(JSON.stringify(EXPLOSIVE))}))
    console.log('ready')
    try { tokenizer.encode('${TEXT}') } catch (error) { console.log(error.code) }
  `

  async function start(mode: string): Promise<{ child: ChildProcess; output: () => string }> {
    const child = spawn(process.execPath, ['--input-type=module', '-e', program, mode], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let text = ''
    child.stdout.on('data', (chunk) => {
      text += chunk
    })
    await once(child.stdout, 'data')
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(child.exitCode).toBeNull()
    return { child, output: () => text }
  }

  async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<[number | null, string | null]> {
    child.kill(signal)
    const [code, by] = await once(child, 'close')
    return [code, by]
  }

  test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('%s ends the process at once', async (signal) => {
    const { child, output } = await start('plain')
    const [, by] = await end(child, signal)
    // Not by the time limit.
    expect([by, output()]).toEqual([signal, 'ready\n'])
  })

  test('a handler of SIGINT is called at once', async () => {
    const { child, output } = await start('listen')
    const [code] = await end(child, 'SIGINT')
    expect([code, output()]).toEqual([7, 'ready\nheard\nfailed\n'])
  })
})
