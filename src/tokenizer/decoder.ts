/**
 * Tokens to text, as the `decoder` of tokenizer.json describes it. Nearly every decoder treats each token by itself and
 * only then joins bytes; `compileDecoder` finds that part, so that a stream can decode an id at a time. What is left
 * (CTC, `</w>` suffixes, steps after a fuse) needs its neighbours and is decoded as a list.
 */

/** One entry of tokenizer.json, checked only for being an object with a type. */
export interface Step {
  readonly type: string
  readonly [field: string]: unknown
}

/** A decoder that treats each token by itself. */
export interface TokenDecoder {
  /** The piece of a token, given whether it opens the text. */
  readonly piece: (token: string, first: boolean) => string | Uint8Array
  readonly leadingSpaces: number
  readonly malformed: 'lossy' | 'whole'
}

/** The token-wise form of a decoder, or `undefined` where it has none. */
export function compileDecoder(step: Step | null): TokenDecoder | undefined {
  const steps = step === null ? [] : flatten(step)
  if (step === null) return textDecoder((token, first) => (first ? token : ` ${token}`))
  const [last] = steps.slice(-1)
  if (steps.length === 1 && last?.type === 'ByteLevel')
    return { piece: byteLevelPiece, leadingSpaces: 0, malformed: 'lossy' }
  const fused = steps.findIndex((s) => s.type === 'Fuse')
  const before = fused === -1 ? steps : steps.slice(0, fused)
  const leadingSpaces = fused === -1 ? 0 : leadingSpacesOf(steps.slice(fused + 1))
  if (leadingSpaces === undefined) return undefined
  const bytes = before.findIndex((s) => s.type === 'ByteFallback')
  if (bytes !== -1 && bytes !== before.length - 1) return undefined
  const edits = (bytes === -1 ? before : before.slice(0, bytes)).map(tokenEdit)
  if (edits.some((edit) => edit === undefined)) return undefined
  const edit = (token: string, first: boolean) => edits.reduce((text, apply) => apply!(text, first), token)
  if (bytes === -1) return { ...textDecoder(edit), leadingSpaces }
  return { piece: (token, first) => fallbackPiece(edit(token, first)), leadingSpaces, malformed: 'whole' }
}

function textDecoder(piece: (token: string, first: boolean) => string): TokenDecoder {
  return { piece, leadingSpaces: 0, malformed: 'lossy' }
}

function flatten(step: Step): Step[] {
  return step.type === 'Sequence' ? (step.decoders as Step[]).flatMap(flatten) : [step]
}

/** Only a strip of spaces at the start may follow a fuse: it looks at nothing but the beginning of the text. */
function leadingSpacesOf(steps: readonly Step[]): number | undefined {
  const [strip, ...rest] = steps.filter((s) => s.type !== 'Fuse')
  if (strip === undefined) return 0
  const plain = strip.type === 'Strip' && strip.content === ' ' && !strip.stop
  return plain && rest.length === 0 ? Number(strip.start ?? 0) : undefined
}

type TokenEdit = (token: string, first: boolean) => string

function tokenEdit(step: Step): TokenEdit | undefined {
  switch (step.type) {
    case 'Replace':
      return replaceEdit(step)
    case 'Metaspace':
      return metaspaceEdit(step)
    case 'WordPiece':
      return wordPieceEdit(step)
    case 'Strip':
      return stripEdit(step)
    default:
      return undefined
  }
}

function replaceEdit(step: Step): TokenEdit | undefined {
  const pattern = (step.pattern as { String?: string }).String
  const content = String(step.content ?? '')
  return pattern ? (token) => token.replaceAll(pattern, () => content) : undefined
}

function metaspaceEdit(step: Step): TokenEdit {
  const marker = String(step.replacement ?? '▁')
  const opens = metaspacePrepends(step) ? '' : ' '
  return (token, first) => token.replaceAll(marker, first ? opens : ' ')
}

/** Older files say `add_prefix_space`, newer ones `prepend_scheme`. */
export function metaspacePrepends(step: Step): boolean {
  return step.prepend_scheme === undefined ? step.add_prefix_space !== false : step.prepend_scheme !== 'never'
}

function wordPieceEdit(step: Step): TokenEdit {
  const prefix = String(step.prefix ?? '##')
  const tidy = step.cleanup ? cleanUp : (text: string) => text
  return (token, first) => {
    if (first) return tidy(token)
    return tidy(token.startsWith(prefix) ? token.slice(prefix.length) : ` ${token}`)
  }
}

/** The fixed list of the WordPiece decoder: spaces before punctuation and English contractions. */
export function cleanUp(text: string): string {
  return text
    .replace(/ ([.?!,])/g, '$1')
    .replaceAll(" ' ", "'")
    .replace(/ (n't|'m|'s|'ve|'re)/g, '$1')
}

function stripEdit(step: Step): TokenEdit {
  const { content, start, stop } = step as unknown as { content: string; start: number; stop: number }
  return (token) => {
    const chars = [...token]
    let from = 0
    while (from < start && chars[from] === content) from++
    let to = chars.length
    while (chars.length - to < stop && chars[to - 1] === content) to--
    return chars.slice(from, Math.max(from, to)).join('')
  }
}

/** `<0x41>` is the byte 0x41; the length is counted in bytes, so only ASCII can match. */
function fallbackPiece(token: string): string | Uint8Array {
  return /^<0x[+0-9a-fA-F][0-9a-fA-F]>$/.test(token)
    ? Uint8Array.of(Number.parseInt(token.slice(3, 5), 16))
    : token
}

/** Bytes by the character that stands for them in a byte-level vocabulary: printable ones stand for themselves. */
const BYTE_OF_CHAR = new Map<number, number>()
for (let byte = 0, next = 256; byte < 256; byte++) {
  const printable = (byte > 32 && byte < 127) || (byte > 160 && byte !== 173)
  BYTE_OF_CHAR.set(printable ? byte : next++, byte)
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** A token of a byte-level vocabulary; one with a foreign character (an added token) is text as it stands. */
function byteLevelPiece(token: string): string | Uint8Array {
  const bytes = new Uint8Array(token.length)
  for (let i = 0; i < token.length; i++) {
    const byte = BYTE_OF_CHAR.get(token.charCodeAt(i))
    if (byte === undefined) return token
    bytes[i] = byte
  }
  try {
    return strictUtf8.decode(bytes)
  } catch {
    return bytes
  }
}
