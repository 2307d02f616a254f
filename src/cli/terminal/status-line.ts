/** The spinner: on stderr, on a terminal only, loaded only there. */
import type { Ora } from 'ora'
import { wantsColor } from './style.ts'

export interface StatusLine {
  show(text: string): void
  /** Leaves no trace of it. */
  clear(): void
}

const SILENT: StatusLine = { show: () => undefined, clear: () => undefined }
/** A run that is over sooner shows nothing: a flash of text is worse than none. */
const DELAY_MS = 150

interface StatusLineOptions {
  readonly enabled: boolean
  readonly color?: string | undefined
}

export function openStatusLine({ enabled, color }: StatusLineOptions): StatusLine {
  if (!enabled || !isScreen(process.stderr)) return SILENT
  let spinner: Ora | undefined
  let text = ''
  let closed = false
  const start = async (): Promise<void> => {
    const { default: ora } = await import('ora')
    if (closed) return
    spinner = ora({
      text,
      stream: process.stderr,
      discardStdin: false,
      // Hiding the cursor would need handlers of signals to bring it back.
      hideCursor: false,
      color: wantsColor(color) ? 'cyan' : (false as never),
    }).start()
  }
  const timer = setTimeout(() => void start(), DELAY_MS)
  return {
    show(next) {
      text = next
      if (spinner !== undefined) spinner.text = next
    },
    clear() {
      closed = true
      clearTimeout(timer)
      spinner?.stop()
      spinner = undefined
    },
  }
}

/** A terminal without columns (serial lines, recorders) has no line that could be written over: ora would never end. */
function isScreen({ isTTY, columns }: NodeJS.WriteStream): boolean {
  return Boolean(isTTY) && columns > 0 && process.env.TERM !== 'dumb'
}
