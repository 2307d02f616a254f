/** A stranger's text for a terminal: control characters and direction marks as escapes, so that it drives nothing. */
export function printable(text: string): string {
  return text.replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, (character) => {
    return `\\u{${character.codePointAt(0)!.toString(16)}}`
  })
}

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB']

/** Bytes as people read them: `1.2 GB`, in steps of a thousand as disks are sold. */
export function readableSize(bytes: number): string {
  const step = bytes < 1000 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log10(bytes) / 3))
  const value = bytes / 1000 ** step
  return `${step === 0 || value >= 99.95 ? Math.round(value) : value.toFixed(1)} ${UNITS[step]}`
}

/** Seconds as `0:07`, `12:34`, `1:02:03`. */
export function readableDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds))
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60]
  const tail = String(rest).padStart(2, '0')
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, '0')}:${tail}` : `${minutes}:${tail}`
}
