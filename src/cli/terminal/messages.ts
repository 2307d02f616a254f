/** Lines on stderr: notes, warnings, errors. One line each, without control characters. */
import { SpoutError } from '../../errors.ts'
import { isDiskFull } from '../../system/disk-full.ts'
import { escapeStream, oneLine } from '../../system/text-display.ts'

export function writeLine(text: string): void {
  process.stderr.write(`spout: ${oneLine(text)}\n`)
}

export function writeError(error: SpoutError): void {
  writeLine(`error: ${error.message}`)
  if (error.hint !== undefined) writeLine(`hint: ${error.hint}`)
  if (process.env.SPOUT_DEBUG === '1') process.stderr.write(escapeStream(`${error.stack}\n${causes(error)}`))
}

/** What nobody foresaw, as an error of ours: memory, descriptors and threads run out anywhere. */
export function asSpoutError(error: unknown): SpoutError {
  const descriptors = causeWith(NO_DESCRIPTORS, error)
  if (descriptors !== undefined && (error as SpoutError).code !== 'os') return asSpoutError(descriptors)
  const message = withoutSignature(error instanceof Error ? error.message : String(error))
  if (error instanceof SpoutError && !message.includes('onnxruntime')) return error
  const { code } = (error ?? {}) as NodeJS.ErrnoException
  if ((error as NodeJS.ErrnoException | undefined)?.syscall === 'uv_cwd') {
    return new SpoutError('not-found', 'the current folder is no longer there', {
      hint: 'cd into one that is',
      cause: error,
    })
  }
  if (EXHAUSTED.test(`${code}`)) {
    return new SpoutError('os', `system: ${message}`, { hint: 'ulimit -a shows the limits', cause: error })
  }
  if (isDiskFull(error)) {
    return new SpoutError('output', `system: ${message}`, { hint: 'free some space', cause: error })
  }
  if (OUT_OF_MEMORY.test(message)) {
    return new SpoutError('os', `memory: ${message}`, {
      hint: 'a smaller model, or --dtype q4',
      cause: error,
    })
  }
  if (error instanceof SpoutError) return restated(error, message)
  return new SpoutError('internal', `internal error: ${message}`, {
    hint: 'SPOUT_DEBUG=1 shows where; please report it',
    cause: error,
  })
}

/** What is under an error, if it has such a code: whatever was being read, that is what is wrong. */
function causeWith(code: RegExp, error: unknown): Error | undefined {
  for (let each = error; each instanceof SpoutError; each = each.cause) {
    const { cause } = each
    if (cause instanceof Error && code.test(`${(cause as NodeJS.ErrnoException).code}`)) return cause
  }
  return undefined
}

const NO_DESCRIPTORS = /^(EMFILE|ENFILE)$/
const EXHAUSTED = /^(EMFILE|ENFILE|ENOMEM|EAGAIN)$/
/** As V8, the C++ library, ONNX Runtime and the dynamic loader say it. */
const OUT_OF_MEMORY =
  /array buffer allocation|bad_alloc|failed to allocate|allocate memory|pthread_create|failed to map segment/i

function restated(error: SpoutError, message: string): SpoutError {
  const { code, hint } = error
  return new SpoutError(code, message, { ...(hint === undefined ? {} : { hint }), cause: error })
}

/** ONNX Runtime puts file, line and the C++ function before what it has to say. */
function withoutSignature(message: string): string {
  return message.replace(/\/onnxruntime_src\/\S+:\d+ .*\) /s, '')
}

function causes(error: Error): string {
  const { cause } = error
  return cause instanceof Error ? `caused by: ${cause.stack}\n${causes(cause)}` : ''
}
