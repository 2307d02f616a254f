import type { Trace } from '../../trace.ts'

/** A trace that prints one line per event on stderr, or nothing at all: see `Trace`. */
export function makeTrace(enabled: boolean | undefined): Trace | undefined {
  if (!enabled) return undefined
  return (event, fields) => {
    const values = Object.entries(fields).map(([name, value]) => `${name}=${show(value)}`)
    process.stderr.write(`trace ${event} ${values.join(' ')}\n`)
  }
}

/** As JSON, and the control characters that JSON leaves as they are written as it writes the others. */
function show(value: unknown): string {
  if (typeof value === 'number' && !Number.isInteger(value)) return value.toFixed(3)
  const text = JSON.stringify(value) ?? 'none'
  return text.replace(/[\x7f-\x9f\u2028\u2029]/g, (char) => {
    return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}
