/** Lines on stderr: notes, warnings, errors. One line each, without control characters. */
import { SpoutError } from '../../errors.ts'
import { showControls } from '../../output/show-controls.ts'

const MAX_LENGTH = 1000

export function writeLine(text: string): void {
  process.stderr.write(`spout: ${oneLine(text)}\n`)
}

export function writeError(error: SpoutError): void {
  writeLine(`error: ${error.message}`)
  if (error.hint !== undefined) writeLine(`hint: ${error.hint}`)
  if (process.env.SPOUT_DEBUG === '1') process.stderr.write(`${error.stack}\n${causes(error)}`)
}

/** What nobody foresaw, as an error of ours. */
export function asSpoutError(error: unknown): SpoutError {
  if (error instanceof SpoutError) return error
  const message = error instanceof Error ? error.message : String(error)
  if (error instanceof RangeError && /allocation|memory/i.test(message)) {
    return new SpoutError('os', `memory: ${message}`, {
      hint: 'a smaller model, or --dtype q4',
      cause: error,
    })
  }
  return new SpoutError('internal', `internal error: ${message}`, {
    hint: 'SPOUT_DEBUG=1 shows where; please report it',
    cause: error,
  })
}

function oneLine(text: string): string {
  const line = showControls(text.replace(/\s*\n\s*/g, ' '))
  return line.length > MAX_LENGTH ? `${line.slice(0, MAX_LENGTH)}…` : line
}

function causes(error: Error): string {
  const { cause } = error
  return cause instanceof Error ? `caused by: ${cause.stack}\n${causes(cause)}` : ''
}
