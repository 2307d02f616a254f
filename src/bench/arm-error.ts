import { SpoutError } from '../errors.ts'

/** The same failure, with the name of the arm that met it. */
export function ofArm(name: string, error: unknown): SpoutError {
  const { message } = error as Error
  if (!(error instanceof SpoutError)) {
    return new SpoutError('failed', `arm ${name}: ${message}`, { cause: error })
  }
  const hint = error.hint === undefined ? {} : { hint: error.hint }
  return new SpoutError(error.code, `arm ${name}: ${message}`, { ...hint, cause: error })
}
