/** What the tasks of one attention are given: offsets in a struct of eight-byte fields. */
const FIELDS = [
  'query',
  'key',
  'value',
  'keys',
  'values',
  'output',
  /** Memory for the work: queries, limits, records. */
  'work',
  'cos',
  'sin',
  /** New tokens. */
  'rows',
  /** Tokens before them. */
  'past',
  'total',
  /** From the keys of one head to those of the next, and the values. */
  'headStride',
  /** Rotated and scaled: [kvHeads, rows × group, headDim]. */
  'queries',
  /** For each query of a head of keys, how many keys it sees: int32. */
  'limits',
  /** Of each segment of a single row: [segments, heads] records. */
  'records',
  /** Of all keys. */
  'segments',
] as const

export type JobField = (typeof FIELDS)[number]

export const JOB = Object.fromEntries(FIELDS.map((name, i) => [name, 8 * i])) as Record<JobField, number>
export const JOB_BYTES = 8 * FIELDS.length
