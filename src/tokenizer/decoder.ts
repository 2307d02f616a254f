/**
 * Tokens to text, as the `decoder` of tokenizer.json describes it. Nearly every decoder treats each token by itself and
 * only then joins bytes; that part is found here, so that a stream can decode an id at a time. What is left needs a token's
 * neighbours (CTC, `</w>` suffixes) and decodes lists.
 */
import { fromByteLevel } from './byte-level.ts'
import { checkLength, mostLength, replaceWithin } from './growth.ts'
import { metaspacePrepends } from './metaspace.ts'
import { compilePattern, guardPattern, hasUnknownPattern } from './pattern.ts'
import { countField, nestedSteps, type Step, textField } from './tokenizer-json.ts'

/** A decoder that treats each token by itself. */
export interface TokenDecoder {
  /** The piece of a token, given whether it opens the text. */
  readonly piece: (token: string, first: boolean) => string | Uint8Array
  readonly leadingSpaces: number
  readonly malformed: 'lossy' | 'whole'
}

type TokenEdit = (token: string, first: boolean) => string

/** The token-wise form of a decoder, or `undefined` where it has none. */
export function compileTokenDecoder(step: Step | null): TokenDecoder | undefined {
  if (step === null)
    return { piece: (token, first) => (first ? token : ` ${token}`), leadingSpaces: 0, malformed: 'lossy' }
  const steps = flatten(step)
  if (steps.length === 1 && steps[0]!.type === 'ByteLevel')
    return { piece: byteLevelPiece, leadingSpaces: 0, malformed: 'lossy' }
  const fuse = steps.findIndex((s) => s.type === 'Fuse')
  const leadingSpaces = fuse === -1 ? 0 : leadingSpacesOf(steps.slice(fuse))
  const before = fuse === -1 ? steps : steps.slice(0, fuse)
  const bytes = before.at(-1)?.type === 'ByteFallback'
  const edits = (bytes ? before.slice(0, -1) : before).map(tokenEdit)
  if (leadingSpaces === undefined || edits.includes(undefined)) return undefined
  const edit: TokenEdit = (token, first) =>
    edits.reduce((text, apply) => within(token, apply!(text, first)), token)
  const piece = bytes ? (token: string, first: boolean) => fallbackPiece(edit(token, first)) : edit
  return { piece, leadingSpaces, malformed: bytes ? 'whole' : 'lossy' }
}

/** A result of steps over a token, unless it is many times as long. */
function within(token: string, text: string): string {
  checkLength(text.length, mostLength(token.length))
  return text
}

export function flatten(step: Step): Step[] {
  return step.type === 'Sequence' ? nestedSteps(step, 'decoders', 'decoder').flatMap(flatten) : [step]
}

/** Only a strip of spaces at the start may follow a fuse: it looks at nothing but the beginning of the text. */
function leadingSpacesOf(steps: readonly Step[]): number | undefined {
  const [strip, ...rest] = steps.filter((s) => s.type !== 'Fuse')
  if (strip === undefined) return 0
  const plain = strip.type === 'Strip' && strip.content === ' ' && !strip.stop && rest.length === 0
  return plain ? countField(strip, 'decoder.start', 0) : undefined
}

/** A step as an edit of one token; `undefined` where the step needs more than the token. */
export function tokenEdit(step: Step): TokenEdit | undefined {
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

function replaceEdit(step: Step): TokenEdit {
  const pattern = compilePattern(step.pattern, 'decoder.pattern')
  const content = textField(step, 'decoder.content', '')
  const replace = (token: string) =>
    replaceWithin(token, { pattern, content, most: mostLength(token.length) })
  return hasUnknownPattern(step) ? (token) => guardPattern(() => replace(token)) : replace
}

/** The token that opens the text loses its markers where the pre-tokenizer has written one. */
function metaspaceEdit(step: Step): TokenEdit {
  const marker = textField(step, 'decoder.replacement', '▁')
  const opens = metaspacePrepends(step) === 'never' ? ' ' : ''
  return (token, first) => token.replaceAll(marker, first ? opens : ' ')
}

function wordPieceEdit(step: Step): TokenEdit {
  const prefix = textField(step, 'decoder.prefix', '##')
  const tidy = step.cleanup === false ? (text: string) => text : cleanUp
  return (token, first) => {
    if (first) return tidy(token)
    return tidy(token.startsWith(prefix) ? token.slice(prefix.length) : ` ${token}`)
  }
}

/** The fixed list of the WordPiece and CTC decoders: spaces before punctuation and English contractions. */
const CLEAN_UPS = [
  [' .', '.'],
  [' ?', '?'],
  [' !', '!'],
  [' ,', ','],
  [" ' ", "'"],
  [" n't", "n't"],
  [" 'm", "'m"],
  [' do not', " don't"],
  [" 's", "'s"],
  [" 've", "'ve"],
  [" 're", "'re"],
] as const

export function cleanUp(text: string): string {
  return CLEAN_UPS.reduce((result, [from, to]) => result.replaceAll(from, to), text)
}

function stripEdit(step: Step): TokenEdit {
  const content = textField(step, 'decoder.content', '')
  const start = countField(step, 'decoder.start', 0)
  const stop = countField(step, 'decoder.stop', 0)
  return (token) => {
    const chars = [...token]
    let from = 0
    while (from < Math.min(start, chars.length) && chars[from] === content) from++
    let to = chars.length
    while (chars.length - to < Math.min(stop, chars.length) && chars[to - 1] === content) to--
    return chars.slice(from, Math.max(from, to)).join('')
  }
}

/** `<0x41>` is the byte 0x41. A sign is read too, as the number parser of the Rust library does. */
export function fallbackPiece(token: string): string | Uint8Array {
  return /^<0x[+0-9a-fA-F][0-9a-fA-F]>$/.test(token)
    ? Uint8Array.of(Number.parseInt(token.slice(3, 5), 16))
    : token
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** A token of a byte-level vocabulary; one with a foreign character (an added token) is text as it stands. */
function byteLevelPiece(token: string): string | Uint8Array {
  const bytes = fromByteLevel(token)
  if (bytes === undefined) return token
  try {
    return strictUtf8.decode(bytes)
  } catch {
    return bytes
  }
}
