/** Why a run failed, as a word. Each word has one exit code, listed in the README. */
export type ErrorCode = keyof typeof EXIT_CODES

/** The exit code of each kind of failure: 0/1/2 as everywhere, causes as in sysexits, 124 as timeout(1). */
export const EXIT_CODES = {
  /** Generation failed. */
  failed: 1,
  /** A bad flag or value; nothing was started. */
  usage: 2,
  /** A structure is not complete: a limit, or the time, came first. */
  incomplete: 3,
  /** An answer, or a text that was to be checked, does not satisfy its structure. */
  invalid: 4,
  /** Bad input data: prompt empty, not UTF-8, too long. */
  data: 65,
  /** Model, revision or file not found, or not cached while offline. */
  'not-found': 66,
  /** The hub cannot be reached. */
  unavailable: 69,
  /** A bug of ours. */
  internal: 70,
  /** Out of memory, descriptors or threads. */
  os: 71,
  /** The cache cannot be written. */
  cache: 73,
  /** The output cannot be written. */
  output: 74,
  /** Try later: rate limited. */
  'try-later': 75,
  /** The hub answered inconsistently: size, hash or headers. */
  protocol: 76,
  /** 401, 403, gated. */
  permission: 77,
  /** Model files, template, tokenizer or config invalid or unsupported. */
  config: 78,
  /** `--timeout` expired. */
  timeout: 124,
} as const

/** A failure with a known cause: what happened, and what to type next. */
export class SpoutError extends Error {
  override readonly name = 'SpoutError'
  readonly code: ErrorCode
  /** What the user may type next, without a full stop. */
  readonly hint: string | undefined

  /** @param message `<what>: <detail>` on one line, without paths of our own and without secrets. */
  constructor(code: ErrorCode, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.hint = options.hint
  }

  get exitCode(): number {
    return EXIT_CODES[this.code]
  }
}

/** What every call to something gets once that was disposed. */
export function afterDispose(what: string): SpoutError {
  return new SpoutError('usage', `${what}: it was disposed`)
}
