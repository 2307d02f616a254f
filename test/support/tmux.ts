/** A shell with job control on a real terminal: tmux, which wraps, scrolls, resizes and pastes as people's terminals do. */
import { spawnSync } from 'node:child_process'
import { ENVIRONMENT, quote, SPOUT } from './run-spout.ts'

export const hasTmux = spawnSync('tmux', ['-V']).status === 0

export interface Window {
  /** Types text as it is. */
  type(text: string): void
  /** Presses a key by tmux's name: `C-c`, `Up`, `Enter`. */
  press(...keys: string[]): void
  /** Pastes as the terminal's own menu does, between its marks. */
  paste(text: string): void
  resize(columns: number, rows: number): void
  /** All that was shown, lines that were wrapped joined again. */
  screen(): string
  /** Resolves with the screen when it shows `text` as often as `times`. */
  shows(text: string | RegExp, times?: number): Promise<string>
  close(): void
}

let count = 0

/** @param env added to a bare environment. `spout` is the program. */
export function openWindow({ env = {} }: { env?: NodeJS.ProcessEnv } = {}): Window {
  const socket = `spout-${process.pid}-${count++}`
  const tmux = (args: readonly string[], input?: string): string => {
    const options = { encoding: 'utf8', input, env: { ...ENVIRONMENT, ...env } } as const
    const { status, stdout, stderr } = spawnSync('tmux', ['-L', socket, '-f', '/dev/null', ...args], options)
    if (status !== 0) throw new Error(`tmux ${args.join(' ')}: ${stderr}`)
    return stdout
  }
  tmux(['new-session', '-d', '-x', '80', '-y', '24', 'PS1="$ " bash --norc --noprofile -i'])
  tmux(['set-option', '-g', 'history-limit', '100000'])
  const type = (text: string): void => void tmux(['send-keys', '-l', text])
  type(`spout() { ${quote(process.execPath)} ${quote(SPOUT)} "$@"; }; clear`)
  tmux(['send-keys', 'Enter'])
  const screen = (): string => tmux(['capture-pane', '-p', '-J', '-S', '-', '-E', '-'])
  return {
    type,
    press: (...keys) => void tmux(['send-keys', ...keys]),
    paste(text) {
      tmux(['load-buffer', '-'], text)
      tmux(['paste-buffer', '-p', '-d'])
    },
    resize: (columns, rows) => void tmux(['resize-window', '-x', `${columns}`, '-y', `${rows}`]),
    screen,
    async shows(text, times = 1) {
      for (let tries = 0; tries < 600; tries++) {
        const shown = screen()
        const found =
          typeof text === 'string' ? shown.split(text) : shown.split(new RegExp(text, `${text.flags}g`))
        if (found.length > times) return shown
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
      throw new Error(`${text} is not shown ${times} times: ${screen()}`)
    },
    close: () => void spawnSync('tmux', ['-L', socket, 'kill-server']),
  }
}
