/**
 * A trace is a function or nothing. Callers write `trace?.('decode', { id, ms })`: while it is `undefined`
 * the fields are not even evaluated, which is what makes tracing free when it is off.
 */
export type Trace = (event: string, fields: Readonly<Record<string, unknown>>) => void
