/**
 * The one way to show a stranger's text: what a model, a model's files or the hub say must drive no terminal, break no
 * line and reorder nothing around it. Escaped are C0 and C1 controls, DEL, the line separators U+2028 and U+2029, and
 * the marks that embed, override or isolate a direction. The marks LRM, RLM and ALM stay: right-to-left texts need
 * them, and they turn round no letters.
 */
const UNSAFE = /[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]/g

/** For a line of its own or a cell of a table: nothing that is left ends a line. */
export function escapeText(text: string): string {
  return text.replace(UNSAFE, escapeCharacter)
}

/**
 * For a text of many lines that streams to a terminal: tab and line feed stay, carriage return is dropped. Character by
 * character and without memory, so pieces may be cut anywhere.
 */
export function escapeStream(text: string): string {
  return text.replace(UNSAFE, (character) => {
    if (character === '\t' || character === '\n') return character
    return character === '\r' ? '' : escapeCharacter(character)
  })
}

/** A text of several lines as one line of a message, of `most` characters at most. */
export function oneLine(text: string, most = 1000): string {
  return cut(escapeText(text.replace(/\s*\n\s*/g, ' ')), most)
}

/** A value out of a file inside a message: quoted as JSON, and cut. */
export function quote(value: unknown, most = 120): string {
  return typeof value === 'string' ? toJson(cut(value, most)) : cut(toJson(value), most)
}

/** JSON for any reader: the same value as `JSON.stringify` writes, with everything unsafe as `\u` escapes. */
export function toJson(value: unknown, indent?: number): string {
  const text = JSON.stringify(value, null, indent) ?? 'none'
  // Line feeds between the values are ours; those within are escaped already.
  return text.replace(UNSAFE, (character) => (character === '\n' ? character : asUnit(character)))
}

/** JSON text of somebody else's, in one line, the same way. */
export function escapeJson(json: string): string {
  return json.replace(UNSAFE, asUnit)
}

function escapeCharacter(character: string): string {
  const code = character.charCodeAt(0)
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : asUnit(character)
}

function asUnit(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}

/** The beginning of a text, with a sign where something is missing; never a half of a character. */
function cut(text: string, most: number): string {
  if (text.length <= most) return text
  return `${text.slice(0, most).replace(/[\ud800-\udbff]$/, '')}…`
}
