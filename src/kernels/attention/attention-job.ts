/** What the tasks of one attention are given: offsets in a struct of eight-byte fields. */
const FIELDS = [
  'query',
  'key',
  'value',
  /** What this layer has of the first page. */
  'pool',
  'pageBytes',
  /** Pages that there is memory of. */
  'poolPages',
  /** From the beginning of a page to this layer, in memory. */
  'layer',
  /** Of each sequence, its new rows and the tokens before them: int32 [parts, 2]. */
  'parts',
  'partCount',
  /** The pages of all sequences, one sequence after the other: int32. */
  'pages',
  'pageCount',
  'output',
  /** Memory for the work: queries, limits, places, tiles, partials. */
  'work',
  'cos',
  'sin',
  /** Positions that there are angles for. */
  'positions',
  /** New tokens, of all sequences. */
  'rows',
  /** Rotated and scaled: [kvHeads, rows × group, headDim]. */
  'queries',
  /** For each query of a head of keys, how many keys it sees: int32. */
  'limits',
  /** Of each row, where its key and value go: [rows] of `PLACE`. */
  'places',
  /** Of several rows: [tileCount] of `TILE`. */
  'tiles',
  'tileCount',
  /** Of each segment of a single row: [segments, heads] partials. */
  'partials',
  /** Of all keys of the last sequence. */
  'segments',
] as const

export type JobField = (typeof FIELDS)[number]

export const JOB = Object.fromEntries(FIELDS.map((name, i) => [name, 8 * i])) as Record<JobField, number>
export const JOB_BYTES = 8 * FIELDS.length

/** The place of a row: what this layer has of its page; its position in the text, int32, and in the page, int32. */
export const PLACE = { page: 0, position: 8, inPage: 12 } as const
export const PLACE_BYTES = 16

/** Queries of one sequence that are computed together. */
export const TILE = {
  /** Where the pages of the sequence begin in the table. */
  pages: 0,
  /** The first query by its number: row × group and what is after. */
  query: 8,
  count: 16,
  /** The position of a row less its number, alike for all rows of a sequence. */
  origin: 24,
} as const
export const TILE_BYTES = 32
