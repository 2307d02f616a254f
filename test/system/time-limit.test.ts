import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { describe, expect, test } from 'vitest'
import { SpoutError } from '../../src/errors.ts'
import { withTimeLimit } from '../../src/system/time-limit.ts'
import { createTokenizer } from '../../src/tokenizer/load-tokenizer.ts'
import { parseTokenizerJson } from '../../src/tokenizer/tokenizer-json.ts'
import { processorTime, watchProcessor } from '../support/processor-time.ts'

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

/** What a program of one's own prints; it holds `withTimeLimit`, `LIMIT` and handlers that count how often SIGINT was heard. */
async function printed(program: string): Promise<string> {
  const built = pathToFileURL('dist/system/time-limit.js')
  const begin = `
    import { withTimeLimit } from '${built}'
    const LIMIT = { ms: 60_000, error: () => new Error('late') }
    let heard = 0
    process.on('SIGINT', () => heard++)
    const keep = setInterval(() => undefined, 1000)
    const told = async () => {
      while (heard === 0) await new Promise(setImmediate)
      clearInterval(keep)
      console.log(heard)
    }
  `
  const child = spawn(process.execPath, ['--input-type=module', '-e', begin + program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let text = ''
  child.stdout.on('data', (chunk) => {
    text += chunk
  })
  // A signal that is not heard.
  const timer = setTimeout(() => child.kill('SIGKILL'), 150_000)
  await once(child, 'close')
  clearTimeout(timer)
  return text
}

describe.skipIf(!existsSync('dist/system/time-limit.js'))('a SIGINT (needs npm run build)', () => {
  test('that came just before is heard after', async () => {
    const program = `
      process.kill(process.pid, 'SIGINT')
      console.log(withTimeLimit(() => 42, LIMIT))
      await told()
    `
    expect(await printed(program)).toBe('42\n1\n')
  })

  test('that comes in the middle of it is heard after', async () => {
    const program = `
      const work = () => {
        process.kill(process.pid, 'SIGINT')
        return 42
      }
      console.log(withTimeLimit(work, LIMIT))
      await told()
    `
    expect(await printed(program)).toBe('42\n1\n')
  })

  test('between any two of many calls is heard', async () => {
    // Another process sends it: it falls where it falls.
    const program = `
      import { spawn } from 'node:child_process'
      for (let i = 0; i < 5; i++) {
        heard = 0
        const sender = spawn('kill', ['-INT', String(process.pid)])
        while (heard === 0) {
          for (let j = 0; j < 20; j++) withTimeLimit(() => 42, LIMIT)
          await new Promise(setImmediate)
        }
      }
      await told()
    `
    expect(await printed(program)).toBe('1\n')
  })
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
    // In the midst of the pattern, also on a machine that has no time for it.
    const spent = watchProcessor(child.pid!)
    while (child.exitCode === null && spent() < 150) await new Promise((resolve) => setTimeout(resolve, 20))
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
