import { toJson } from '../../system/text-display.ts'
import type { Trace } from '../../trace.ts'

/** A trace that prints one line per event on stderr, or nothing at all: see `Trace`. */
export function makeTrace(enabled: boolean | undefined): Trace | undefined {
  if (!enabled) return undefined
  return (event, fields) => {
    const values = Object.entries(fields).map(([name, value]) => `${name}=${show(value)}`)
    process.stderr.write(`trace ${event} ${values.join(' ')}\n`)
  }
}

function show(value: unknown): string {
  return typeof value === 'number' && !Number.isInteger(value) ? value.toFixed(3) : toJson(value)
}
