import { SpoutError } from '../errors.ts'

/** A template's complaint about roles, with what may be done about a system message as its hint. */
export function systemRefused(error: unknown, hint: string): unknown {
  const isAbout =
    error instanceof SpoutError && /^chat template: .*(system|role|alternat)/i.test(error.message)
  if (!isAbout) return error
  return new SpoutError(error.code, error.message, { hint, cause: error })
}
