/** Looks at files that may not be there, or not be ours to read: what fails is nothing. */
import { readdirSync } from 'node:fs'

/** What `act` gives; `undefined` when it throws. */
export function orNothing<T>(act: () => T): T | undefined {
  try {
    return act()
  } catch {
    return undefined
  }
}

/** The names in a folder; none where it cannot be read. */
export function namesIn(folder: string): string[] {
  return orNothing(() => readdirSync(folder)) ?? []
}
