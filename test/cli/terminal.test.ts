/** What only a terminal shows: run on a pseudo-terminal of its own. */
import { execFileSync } from 'node:child_process'
import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { HOME, quote, runSpout } from '../support/run-spout.ts'
import { CTRL_C, hasTerminal, onTerminal, type Terminal } from '../support/terminal.ts'
import { ENDLESS, EOS, removeToys, type Step, toyModel } from '../support/toy-model.ts'

const scripts: Readonly<Record<string, readonly Step[]>> = {
  a: ['Hello', ', ', 'world', EOS],
  d: ['round ', 'about '],
  z: ['\x1b[31m', '\x1b]52;c;aGk=\x07', '\x1b', 'P', 'a\u009b1m\x08\x7f', 'tab\tline', '\r\n', 'end', EOS],
}
const toy = toyModel({ scripts })
const slow = toyModel({ scripts, rounds: 20_000 })
const heavy = toyModel({ scripts, products: 24 })
const loading = toyModel({ scripts, products: 1, rounds: 100 })
const reading = toyModel({ scripts: {}, rounds: 300_000 })
afterAll(removeToys)

const on = (model: string, ...words: string[]): string => ['spout -m', model, ...words].map(String).join(' ')
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** A spinner's frame. */
const FRAME = /[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]/
const SGR_COLOR = /\x1b\[3\dm/

describe.runIf(hasTerminal).concurrent('on a terminal (needs script of util-linux)', () => {
  test('[prompt.nothing I1] nothing given is the short help on stderr, and exit 2', async () => {
    const { screen, code } = await onTerminal(
      `spout 2>${quote(join(HOME, 'help'))}; echo $?; cat ${join(HOME, 'help')}`,
    )
    expect(screen).toMatch(
      /^2\nUsage: spout \[options\][\s\S]*\nspout: error: prompt: none given\nspout: hint: /,
    )
    expect(code).toBe(0)
  })

  test('[out.answer out.newline] an answer is nothing but the answer', async () => {
    // Done before the spinner would show.
    const { screen, code } = await onTerminal(on(toy, '-q a'))
    expect([screen, code]).toEqual(['Hello, world\n', 0])
  })

  test('[prompt.silence I9] a silent pipe gets one hint, and is then waited for', async () => {
    const pipe = join(HOME, 'silent')
    execFileSync('mkfifo', [pipe])
    const writer = openSync(pipe, 'r+')
    const { screen, code } = await onTerminal(on(toy, '<', pipe), {
      onStart: async ({ shows }) => {
        await shows('waiting')
        writeSync(writer, 'a\n')
        closeSync(writer)
      },
    })
    expect(screen).toMatch(/^spout: waiting for stdin; --no-stdin goes on without it\n.*Hello, world\n$/)
    expect(code).toBe(0)
  })

  test('[prompt.empty] a pipe that had nothing is told of, for the program before it has failed', async () => {
    const empty = await onTerminal(
      `false | ${on(toy, 'a')}; ${on(toy, '-q a')} </dev/null; true | ${on(toy, '-q a')}`,
    )
    // A spinner shows where the machine is slow.
    expect(empty.screen).toMatch(
      /^spout: stdin was empty: the words alone are the prompt\n.*Hello, world\nHello, world\nHello, world\n$/,
    )
  })

  test('[prompt.silence] a thread that was busy looks at what has come before it speaks of silence', async () => {
    const busy = join(HOME, 'busy.mjs')
    writeFileSync(
      busy,
      `const plain = globalThis.setTimeout
       globalThis.setTimeout = (act, ms, ...rest) => {
         const timer = plain(act, ms, ...rest)
         if (ms === 2000) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2500)
         return timer
       }`,
    )
    // What is typed into a pipe like this one is in it, and its end too, before the program begins.
    const { screen, code } = await onTerminal(`NODE_OPTIONS=--import=${busy} spout -m ${toy} <<<a`)
    expect(screen).toMatch(/Hello, world\n$/)
    expect([screen.includes('waiting'), code]).toEqual([false, 0])
  })

  test('[out.terminal G8] control characters of the model are shown, not obeyed', async () => {
    const { screen } = await onTerminal(on(toy, '-q z'))
    expect(screen).toBe('\\x1b[31m\\x1b]52;c;aGk=\\x07\\x1bPa\\x9b1m\\x08\\x7ftab\tline\nend\n')
  })

  test('[out.terminal batch.output] control characters of a batch are shown, too', async () => {
    const { screen } = await onTerminal(`echo z | spout batch -m ${toy} -q --text`)
    expect(screen).toBe('\\x1b[31m\\x1b]52;c;aGk=\\x07\\x1bPa\\x9b1m\\x08\\x7ftab\tline\\r\\nend\n')
  })

  test('[err.spinner batch.output] progress of a batch, with the time left, and gone after', async () => {
    const lines = join(HOME, 'lines')
    writeFileSync(lines, Array.from({ length: 8 }, (_, i) => `${i} d\n`).join(''))
    const { screen, code } = await onTerminal(
      `spout batch -m ${slow} ${lines} -n 20 --parallel 2 -o ${lines}.out; echo`,
    )
    expect(screen).toMatch(/\d+ lines, [\d.]+ tokens\/s, \d+ %, about \d+ s left/)
    expect(screen).toMatch(/\x1b\[0?K\n$/)
    expect(code).toBe(0)
  })

  test('[err.spinner err.color] a spinner while it loads, in colour, and gone after', async () => {
    const { screen, code } = await onTerminal(on(loading, '--stats', '-n 4 d'))
    expect(screen).toMatch(FRAME)
    expect(screen).toMatch(SGR_COLOR)
    expect(screen).toContain('loading the model')
    // The line is cleared before the answer begins.
    expect(screen).toMatch(/\x1b\[0?K[^\n]*round about round about \n/)
    expect(screen).not.toContain('\x1b[?25l')
    expect(screen).toMatch(/\x1b\[2mmodel {5}/)
    expect(code).toBe(0)
  })

  test.each([
    ['NO_COLOR', { NO_COLOR: '1' }, '', true],
    ['--color never', {}, '--color never', true],
    ['TERM=dumb', { TERM: 'dumb' }, '', false],
    ['--quiet', {}, '-q', false],
  ] as const)('[err.spinner err.color] %s', async (_, env, flags, spins) => {
    const { screen } = await onTerminal(on(loading, flags, '--stats -n 4 d'), { env })
    expect(screen).not.toMatch(SGR_COLOR)
    if (_ !== '--quiet') expect(screen).not.toContain('\x1b[2m')
    expect(FRAME.test(screen)).toBe(spins)
    expect(screen).toContain('round about round about \n')
  })

  test('[err.embedded] the embedded model says once that it knows nothing', async () => {
    const env = { SPOUT_CACHE_DIR: join(HOME, 'embedded-cache') }
    const { screen } = await onTerminal('spout -n 1 a; spout -n 1 a; spout -n 1 a 2>/dev/null', { env })
    expect(screen.match(/embedded model/g)).toHaveLength(1)
    expect(screen).toContain('a real one: spout help model')
  })

  test('[err.spinner] no spinner where a line has no length', async () => {
    const { screen } = await onTerminal(on(loading, '-n 4 d'), { columns: 0 })
    expect(screen).toBe('round about round about \n')
  })

  test('[err.spinner out.answer] a pipe and a file get not one escape byte', async () => {
    const out = join(HOME, 'out')
    const err = join(HOME, 'err')
    await onTerminal(`${on(loading, '--stats -v -n 4 d')} >${out} 2>${err}`)
    const { stdout } = await runSpout([], { shell: `cat ${out} ${err}` })
    expect(stdout).toContain('round about round about \n')
    expect(stdout).toContain('finish    length')
    expect(stdout).not.toMatch(/\x1b|\x9b/)
  })

  test('[err.spinner] how far a long prompt is read, and the time left', async () => {
    const prompt = 'x'.repeat(3000)
    const { screen } = await onTerminal(on(reading, prompt), {
      onStart: async ({ shows, type }) => {
        await shows(/reading the prompt: \d+ of 3000 tokens, about \d+ s left/)
        type(CTRL_C)
      },
    })
    expect(screen).toMatch(/reading the prompt: \d+ of 3000 tokens/)
  })

  test('[P7] a window that changes its size', async () => {
    const { screen, code } = await onTerminal(
      `(sleep 0.5; stty cols 40 rows 10 </dev/tty) & ${on(slow, '-q -n 12 d')}; wait`,
    )
    expect([screen, code]).toEqual([`${'round about '.repeat(6)}\n`, 0])
  })
})

describe.runIf(hasTerminal).concurrent('Ctrl-C (needs script of util-linux)', () => {
  const interrupt = async (command: string, ready: (terminal: Terminal) => Promise<unknown>) => {
    return onTerminal(`for i in 1 2 3; do ${command}; echo AGAIN; done`, {
      onStart: async (terminal) => {
        await ready(terminal)
        terminal.type(CTRL_C)
      },
    })
  }

  test.each([
    ['while it loads', on(heavy, 'a'), ({ shows }: Terminal) => shows('loading the model')],
    [
      'while it reads the prompt',
      on(toy, `'x${ENDLESS}'`),
      ({ shows }: Terminal) => shows('reading the prompt'),
    ],
    ['while it reads, the other runtime', on(toy, `'${ENDLESS}' --runtime node`), () => pause(900)],
    ['while it writes', on(slow, 'd -n 0'), ({ shows }: Terminal) => shows('about')],
  ])('[P6 exit.signal] %s ends it, and the loop around it', async (_, command, ready) => {
    const { screen, code } = await interrupt(command, ready)
    expect(screen).not.toContain('AGAIN')
    expect(screen).not.toContain('error')
    expect(code).toBe(130)
    // Nothing of ours is left on: the cursor was never hidden.
    expect(screen).not.toContain('\x1b[?25l')
  })

  test('[P6] a line that was begun is ended', async () => {
    const { screen } = await interrupt(on(slow, 'd -n 0 -q'), ({ shows }) => shows('about'))
    expect(screen.replace('^C', '')).toMatch(/^(round about )+(round )?\n/)
  })
})
