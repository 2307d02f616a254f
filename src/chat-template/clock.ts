/** The time that a template may tell. Some write the date into the prompt, so that tomorrow's answer is another one. */
import { SpoutError } from '../errors.ts'

export interface Clock {
  readonly now: Date
  /** The date was given, and is told as it was given: in UTC. */
  readonly utc: boolean
}

/**
 * The time of SOURCE_DATE_EPOCH (https://reproducible-builds.org), in UTC, where that is set; else now, in the local zone.
 * @throws SpoutError `config` for what is no time.
 */
export function clockOf(env: NodeJS.ProcessEnv): Clock {
  const given = env.SOURCE_DATE_EPOCH
  if (given === undefined || given === '') return { now: new Date(), utc: false }
  // The last second of the year 9999, as far as Python's dates go.
  if (/^\d{1,12}$/.test(given) && Number(given) <= 253_402_300_799)
    return { now: new Date(1000 * Number(given)), utc: true }
  throw new SpoutError('config', `SOURCE_DATE_EPOCH: ${JSON.stringify(given.slice(0, 40))} is no time`, {
    hint: 'seconds since 1970, for example from date +%s',
  })
}
