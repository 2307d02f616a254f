/** Runs a shell command on a pseudo-terminal of its own, by util-linux's `script`. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { ENVIRONMENT, noteFlags, quote, ROOT, SPOUT } from './run-spout.ts'

/** Some systems have another `script`, or none. */
export const hasTerminal =
  process.platform === 'linux' &&
  spawnSync('script', ['--version'], { encoding: 'utf8' }).stdout?.includes('util-linux') === true

export interface TerminalOptions {
  readonly env?: NodeJS.ProcessEnv
  readonly cwd?: string
  /** Columns of the window. Default 80. */
  readonly columns?: number
  /** Told of the terminal: what is written to its stdin is typed. */
  readonly onStart?: (terminal: Terminal) => void
}

export interface Terminal {
  readonly child: ChildProcess
  type(text: string): void
  /** Resolves when the screen has shown `text` since the last `shows` that was answered. */
  shows(text: string | RegExp): Promise<void>
}

export interface TerminalResult {
  /** Every byte that was sent to the terminal, its line ends as \n. */
  readonly screen: string
  /** The exit code; 128 + n for a death by signal n. */
  readonly code: number | null
}

export const CTRL_C = '\x03'
export const CTRL_D = '\x04'

/** @param command a shell command in which `spout` is the program. */
export function onTerminal(command: string, options: TerminalOptions = {}): Promise<TerminalResult> {
  const define = `spout() { ${quote(process.execPath)} ${quote(SPOUT)} "$@"; }; `
  const size = `stty cols ${options.columns ?? 80} rows 24; `
  const child = spawn('script', ['-qfec', size + define + command, '/dev/null'], {
    cwd: options.cwd ?? ROOT,
    env: { ...ENVIRONMENT, SHELL: '/bin/bash', ...options.env },
  })
  let screen = ''
  let from = 0
  const waiting = new Set<() => void>()
  child.stdout.on('data', (chunk: Buffer) => {
    screen += chunk.toString('latin1')
    for (const check of waiting) check()
  })
  child.stdin.on('error', () => undefined)
  let hung = false
  const timer = setTimeout(() => {
    hung = true
    child.kill('SIGKILL')
  }, 90_000)
  const shows = (text: string | RegExp): Promise<void> =>
    new Promise((resolve) => {
      const check = (): void => {
        const rest = screen.slice(from)
        const found = typeof text === 'string' ? rest.indexOf(text) : rest.search(text)
        if (found < 0) return
        from += found + 1
        waiting.delete(check)
        resolve()
      }
      waiting.add(check)
      check()
    })
  options.onStart?.({ child, shows, type: (text) => void child.stdin.write(text) })
  return new Promise((resolve, reject) => {
    child.on('close', (code) => {
      clearTimeout(timer)
      child.stdin.destroy()
      noteFlags(command, code)
      if (hung) return reject(new Error(`it hangs; the terminal shows ${JSON.stringify(screen)}`))
      const text = Buffer.from(screen, 'latin1').toString()
      resolve({ screen: text.replaceAll('\r\n', '\n'), code })
    })
  })
}
