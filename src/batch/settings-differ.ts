/** Answers that were chosen in different ways do not belong into one file. */
import { SpoutError } from '../errors.ts'
import { quote } from '../system/text-display.ts'
import type { Settings } from './journal-entries.ts'

const MOST_TOLD = 3

/** @throws SpoutError `usage`, with what it was and what it is, when any setting differs. */
export function refuseOthers(name: string, then: Settings, now: Settings): void {
  const keys = [...new Set([...Object.keys(then), ...Object.keys(now)])]
  const differing = keys.filter((key) => JSON.stringify(then[key]) !== JSON.stringify(now[key]))
  if (differing.length === 0) return
  const told = differing
    .slice(0, MOST_TOLD)
    .map((key) => `${key} was ${shown(then[key])}, is ${shown(now[key])}`)
  const more = differing.length > MOST_TOLD ? `, and ${differing.length - MOST_TOLD} more` : ''
  throw new SpoutError('usage', `${quote(name, 200)}: begun with other settings: ${told.join('; ')}${more}`, {
    hint: '--fresh starts over; the old settings go on with it',
  })
}

function shown(value: unknown): string {
  return value === undefined || value === null ? 'not set' : quote(value, 60)
}
