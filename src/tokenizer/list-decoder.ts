/** Decoding a whole list of tokens, step by step as the Rust library does it: the plain way, for any decoder. */

import { fromByteLevel } from './byte-level.ts'
import { cleanUp, fallbackPiece, flatten, tokenEdit } from './decoder.ts'
import { checkLength, mostLength } from './growth.ts'
import { type Step, textField, unsupported } from './tokenizer-json.ts'

export type DecodeTokens = (tokens: readonly string[]) => string

type ListStep = (tokens: readonly string[]) => readonly string[]

export function compileListDecoder(step: Step | null): DecodeTokens {
  if (step === null) return (tokens) => tokens.join(' ')
  const steps = flatten(step).map(listStep)
  return (tokens) => {
    const most = mostLength(lengthOf(tokens) + tokens.length)
    return steps
      .reduce((list, apply) => {
        const made = apply(list)
        checkLength(lengthOf(made), most)
        return made
      }, tokens)
      .join('')
  }
}

function lengthOf(tokens: readonly string[]): number {
  return tokens.reduce((length, token) => length + token.length, 0)
}

function listStep(step: Step): ListStep {
  const edit = tokenEdit(step)
  if (edit !== undefined) return (tokens) => tokens.map((token, i) => edit(token, i === 0))
  switch (step.type) {
    case 'Fuse':
      return (tokens) => [tokens.join('')]
    case 'ByteLevel':
      return joinByteLevel
    case 'ByteFallback':
      return joinFallbackBytes
    case 'BPEDecoder':
      return suffixStep(textField(step, 'decoder.suffix', '</w>'))
    case 'CTC':
      return ctcStep(step)
    default:
      throw unsupported('decoder.type', step.type)
  }
}

const utf8 = new TextEncoder()
const lossy = new TextDecoder('utf-8', { ignoreBOM: true })
const strict = new TextDecoder('utf-8', { ignoreBOM: true, fatal: true })

function joinByteLevel(tokens: readonly string[]): string[] {
  return [lossy.decode(Buffer.concat(tokens.map((token) => fromByteLevel(token) ?? utf8.encode(token))))]
}

/** A run of byte tokens is text only as a whole: else every byte of it is a U+FFFD. */
function joinFallbackBytes(tokens: readonly string[]): string[] {
  const joined: string[] = []
  let run: number[] = []
  const close = () => {
    if (run.length > 0) joined.push(decodeRun(Uint8Array.from(run)))
    run = []
  }
  for (const token of tokens) {
    const piece = fallbackPiece(token)
    if (typeof piece !== 'string') run.push(...piece)
    else {
      close()
      joined.push(piece)
    }
  }
  close()
  return joined
}

function decodeRun(bytes: Uint8Array): string {
  try {
    return strict.decode(bytes)
  } catch {
    return '\uFFFD'.repeat(bytes.length)
  }
}

function suffixStep(suffix: string): ListStep {
  return (tokens) => tokens.map((token, i) => token.replaceAll(suffix, i === tokens.length - 1 ? '' : ' '))
}

function ctcStep(step: Step): ListStep {
  const pad = textField(step, 'decoder.pad_token', '<pad>')
  const delimiter = textField(step, 'decoder.word_delimiter_token', '|')
  const tidy = (text: string) => (step.cleanup === false ? text : cleanUp(text).replaceAll(delimiter, ' '))
  return (tokens) =>
    tokens
      .filter((token, i) => token !== tokens[i - 1])
      .map((token) => tidy(token.replaceAll(pad, '')))
      .filter((text) => text !== '')
}
