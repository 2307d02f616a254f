/** Dates as Python's `strftime` writes them. */
import type { Clock } from '../clock.ts'

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']
const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
]

/**
 * `date.strftime(format)` in the C locale, local time, or UTC of a date that was given. `%-d` leaves out the padding; what is
 * not known stays as it is.
 */
export function strftime({ now, utc }: Clock, format: string): string {
  const date = utc ? new Date(now.getTime() + 60_000 * now.getTimezoneOffset()) : now
  return format.replace(/%(-?)([A-Za-z%])/g, (all, dash: string, letter: string) => {
    const composed = COMPOSED[letter]
    if (composed !== undefined) return strftime({ now: date, utc: false }, composed)
    const [value, width = 0] = CODES[letter]?.(date) ?? [all]
    return dash === '-' ? String(value) : String(value).padStart(width, letter === 'e' ? ' ' : '0')
  })
}

const COMPOSED: Readonly<Record<string, string>> = {
  D: '%m/%d/%y',
  F: '%Y-%m-%d',
  R: '%H:%M',
  T: '%H:%M:%S',
  c: '%a %b %e %H:%M:%S %Y',
  x: '%m/%d/%y',
  X: '%H:%M:%S',
}

const CODES: Readonly<Record<string, (date: Date) => readonly [value: number | string, width?: number]>> = {
  Y: (date) => [date.getFullYear(), 4],
  y: (date) => [date.getFullYear() % 100, 2],
  m: (date) => [date.getMonth() + 1, 2],
  d: (date) => [date.getDate(), 2],
  e: (date) => [date.getDate(), 2],
  H: (date) => [date.getHours(), 2],
  I: (date) => [date.getHours() % 12 || 12, 2],
  M: (date) => [date.getMinutes(), 2],
  S: (date) => [date.getSeconds(), 2],
  j: (date) => [dayOfYear(date), 3],
  w: (date) => [date.getDay()],
  u: (date) => [date.getDay() || 7],
  A: (date) => [DAYS[date.getDay()]!],
  a: (date) => [DAYS[date.getDay()]!.slice(0, 3)],
  B: (date) => [MONTHS[date.getMonth()]!],
  b: (date) => [MONTHS[date.getMonth()]!.slice(0, 3)],
  h: (date) => [MONTHS[date.getMonth()]!.slice(0, 3)],
  p: (date) => [date.getHours() < 12 ? 'AM' : 'PM'],
  '%': () => ['%'],
}

function dayOfYear(date: Date): number {
  const start = Date.UTC(date.getFullYear(), 0, 1)
  return 1 + Math.round((Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()) - start) / 86_400_000)
}
