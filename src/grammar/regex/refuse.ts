import { SpoutError } from '../../errors.ts'

/** What cannot be used as a structure, and where in it. */
export function refuse(where: string, what: string, hint?: string): SpoutError {
  return new SpoutError('usage', `${where}: ${what}`, hint === undefined ? {} : { hint })
}
