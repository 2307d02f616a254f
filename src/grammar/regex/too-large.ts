import { SpoutError } from '../../errors.ts'

/** A structure that would take more room or time than anybody wants: said before it does. */
export function tooLarge(what: string): SpoutError {
  return new SpoutError('data', `structure: ${what}`, {
    hint: 'shorten the pattern, the bounds or the number of alternatives',
  })
}
