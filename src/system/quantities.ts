/** Sizes and times as people read them: one way for messages, tables and progress alike. */
const UNITS = ['B', 'kB', 'MB', 'GB', 'TB']

/** Bytes as in `1.2 GB`, in steps of a thousand as disks are sold. */
export function bytesText(bytes: number): string {
  const step = bytes < 1000 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log10(bytes) / 3))
  const value = bytes / 1000 ** step
  return `${step === 0 || value >= 99.95 ? Math.round(value) : value.toFixed(1)} ${UNITS[step]}`
}

/** A time as in `12.3 ms`, `1.25 s`, `12 min 34 s`, `1 h 2 min`. */
export function durationText(ms: number): string {
  if (ms < 999.95) return `${ms.toFixed(1).replace(/\.0$/, '')} ms`
  if (ms < 59_995) return `${(ms / 1000).toFixed(2).replace(/\.?0+$/, '')} s`
  const seconds = Math.round(ms / 1000)
  if (seconds < 3600) return inTwo(seconds, 60, ['min', 's'])
  return inTwo(Math.round(seconds / 60), 60, ['h', 'min'])
}

/** The same in whole seconds, for what is only estimated or still running. */
export function secondsText(ms: number): string {
  return ms < 500 ? '0 s' : durationText(1000 * Math.round(ms / 1000))
}

function inTwo(amount: number, size: number, [large, small]: readonly [string, string]): string {
  const rest = amount % size
  return `${Math.floor(amount / size)} ${large}${rest === 0 ? '' : ` ${rest} ${small}`}`
}
