/** What a server sent is not what was agreed on. The message goes on after `the server sent`. */
export class Fault extends Error {
  override readonly name = 'Fault'
}

/** The body of an answer, or an event of it, is an error that the server tells. */
export class ToldError extends Error {
  override readonly name = 'ToldError'
  /** The server's, where it tells one: of OpenAI's error object `code`, else `type`. */
  readonly code: string

  constructor(message: string, code: string) {
    super(message)
    this.code = code
  }
}

/** The error of OpenAI's shape in a value, or one of the simpler shapes that imitators have. */
export function toldError(value: unknown): ToldError | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { error, detail, message = detail } = value as Readonly<Record<string, unknown>>
  if (error != null && typeof error === 'object') {
    const fields = error as Readonly<Record<string, unknown>>
    return new ToldError(textIn(fields.message), textIn(fields.code) || textIn(fields.type))
  }
  if (typeof error === 'string') return new ToldError(error, '')
  return message != null && !('choices' in value) ? new ToldError(textIn(message), '') : undefined
}

function textIn(value: unknown): string {
  if (typeof value === 'string') return value
  return value == null ? '' : JSON.stringify(value)
}
