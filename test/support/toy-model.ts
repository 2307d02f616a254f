/**
 * A model without weights: what follows a token is looked up in a table, so every text it writes is known. Its graph
 * can be told to fall silent at a token (a loop without end), or to give logits that are not finite.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bytesField, concat, varintField } from '../../src/onnx-file/wire.ts'
import { initializer, model, node, value } from './tiny-graphs.ts'

/** A piece of text, the bytes of one, or what the model does instead of going on. */
export type Step = string | Uint8Array | typeof EOS | typeof NAN | typeof FAIL | typeof HANG

export const EOS = Symbol('the end token')
/** From here on the logits are not finite. */
export const NAN = Symbol('logits that are no numbers')
/** Writes a token after which the runtime throws. */
export const FAIL = Symbol('a failing run')
/** The step before this one is written, and what follows is computed for ever. */
export const HANG = Symbol('a loop without end')

export interface ToyOptions {
  /** What follows a prompt, by its last character; a script ends with EOS or goes round. */
  readonly scripts: Readonly<Record<string, readonly Step[]>>
  readonly contextLength?: number
  readonly chatTemplate?: string
  readonly generation?: object
  /** Idle rounds of every token: with 100,000 a token takes some hundredths of a second. */
  readonly rounds?: number
  /** Large matrices to multiply before the session is made: each takes some tenths of a second. */
  readonly products?: number
}

const SPECIAL = ['<|end|>', '<|im_start|>', '<|im_end|>', '<|fail|>']
/** A prompt with this character is read for ever. */
export const ENDLESS = '~'
const FOREVER = 2n ** 50n

/** Writes the model and gives its folder, in a temporary place that `removeToys` takes away. */
export function toyModel(options: ToyOptions): string {
  const { scripts, contextLength = 4096, chatTemplate, generation = {}, rounds = 0, products = 0 } = options
  const pieces: Uint8Array[] = Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte))
  const keys = new Map(pieces.map((bytes, id) => [keyOf(bytes), id]))
  const idOf = (step: string | Uint8Array): number => {
    const bytes = typeof step === 'string' ? new TextEncoder().encode(step) : step
    const known = keys.get(keyOf(bytes))
    if (known !== undefined) return known
    keys.set(keyOf(bytes), pieces.length)
    return pieces.push(bytes) - 1
  }
  const next = new Map<number, number | typeof EOS | typeof NAN | typeof FAIL>()
  const trips = new Map([[ENDLESS.charCodeAt(0), FOREVER]])
  for (const [prompt, steps] of Object.entries(scripts)) {
    let last = prompt.charCodeAt(prompt.length - 1)
    const isEnded = typeof steps.at(-1) === 'symbol'
    const round: readonly Step[] = isEnded ? steps : [...steps, steps[0]!]
    for (const step of round) {
      if (step === HANG) {
        trips.set(last, FOREVER)
        break
      }
      const id: number | typeof EOS | typeof NAN | typeof FAIL =
        typeof step === 'string' || step instanceof Uint8Array ? idOf(step) : step
      if (next.has(last) && next.get(last) !== id) throw new Error(`two ways on from token ${last}`)
      next.set(last, id)
      if (typeof id !== 'number') break
      last = id
    }
  }
  const folder = mkdtempSync(join(tmpdir(), 'spout-toy-'))
  made.push(folder)
  const end = pieces.length
  const size = end + SPECIAL.length
  const table = new Float32Array(size * size).fill(-10)
  for (let id = 0; id < size; id++) {
    const following = next.get(id) ?? EOS
    if (following === NAN) table.fill(Number.NaN, id * size, (id + 1) * size)
    else table[id * size + (following === EOS ? end : following === FAIL ? size - 1 : following)] = 10
  }
  mkdirSync(join(folder, 'onnx'))
  writeFileSync(join(folder, 'onnx/model.onnx'), graph(table, idleRounds(size, rounds, trips), products))
  const json = (name: string, content: object): void =>
    writeFileSync(join(folder, name), JSON.stringify(content))
  json('config.json', {
    model_type: 'toy',
    vocab_size: size,
    max_position_embeddings: contextLength,
    eos_token_id: end,
  })
  json('generation_config.json', { eos_token_id: [end, end + 2], ...generation })
  json('tokenizer.json', tokenizer(pieces, end))
  json('tokenizer_config.json', {
    eos_token: SPECIAL[0],
    ...(chatTemplate === undefined ? {} : { chat_template: chatTemplate }),
  })
  return folder
}

const made: string[] = []

export function removeToys(): void {
  for (const folder of made.splice(0)) rmSync(folder, { recursive: true, force: true })
}

/** ChatML without its line breaks, so that the last character of a message decides what follows. */
export const TOY_TEMPLATE =
  "{% for m in messages %}{{ '<|im_start|>' + m['role'] + ' ' + m['content'] + '<|im_end|>' }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|im_start|>' + messages[-1]['content'][-1] }}{% endif %}"

function keyOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1')
}

/** How long each token is thought about. The last one is missing: looking it up is the failure of FAIL. */
function idleRounds(size: number, all: number, trips: ReadonlyMap<number, bigint>): BigInt64Array {
  const rounds = new BigInt64Array(size - 1).fill(BigInt(all))
  for (const [id, count] of trips) rounds[id] = count
  return rounds
}

/** logits = table[input_ids], after as many idle rounds as the slowest of the ids wants. */
function graph(table: Float32Array, rounds: BigInt64Array, products: number): Uint8Array {
  const INT64 = 7
  const size = rounds.length + 1
  const body = [
    bytesField(1, 'idle'),
    node('Identity', ['go'], ['go_on']),
    node('Identity', ['in'], ['out']),
    value('input', 'round', [], INT64),
    value('input', 'go', [], 9),
    value('input', 'in', [1, 'sequence', size]),
    value('output', 'go_on', [], 9),
    value('output', 'out', [1, 'sequence', size]),
  ]
  return model([
    node('Gather', ['rounds', 'input_ids'], ['each']),
    withAttribute(node('ReduceMax', ['each'], ['most']), intAttribute('keepdims', 0)),
    node('Gather', ['table', 'input_ids'], [products > 0 ? 'looked_up' : 'found']),
    ...(products > 0 ? constantWork(products) : []),
    withAttribute(node('Loop', ['most', '', 'found'], ['logits']), [
      bytesField(1, 'body'),
      bytesField(
        6,
        body.map((part, i) => (i === 0 ? bytesField(2, 'idle') : part)),
      ),
      varintField(20, 5),
    ]),
    ...cache(),
    initializer('table', [size, size], table),
    bytesField(5, [
      varintField(1, rounds.length),
      varintField(2, INT64),
      bytesField(8, 'rounds'),
      bytesField(9, new Uint8Array(rounds.buffer, 0, rounds.byteLength)),
    ]),
    value('input', 'input_ids', [1, 'sequence'], INT64),
    value('output', 'logits', [1, 'sequence', size]),
  ])
}

/** A KV cache as exporters make them, with the ids for keys and values: nothing of it is read, but it must be kept. */
function cache(): Uint8Array[] {
  const names = ['key', 'value']
  return [
    withAttribute(node('Cast', ['input_ids'], ['as_floats']), intAttribute('to', 1)),
    bytesField(5, [
      varintField(1, 4),
      varintField(2, 7),
      bytesField(8, 'cache_shape'),
      bytesField(9, new Uint8Array(BigInt64Array.of(1n, 1n, -1n, 1n).buffer)),
    ]),
    node('Reshape', ['as_floats', 'cache_shape'], ['new']),
    ...names.flatMap((name) => [
      withAttribute(
        node('Concat', [`past_key_values.0.${name}`, 'new'], [`present.0.${name}`]),
        intAttribute('axis', 2),
      ),
      value('input', `past_key_values.0.${name}`, [1, 1, 'past', 1]),
      value('output', `present.0.${name}`, [1, 1, 'total', 1]),
    ]),
  ]
}

/** Products of constants, which the runtime works out while it makes a session. */
function constantWork(count: number): Uint8Array[] {
  const products = Array.from({ length: count }, (_, i) => node('MatMul', [`w${i}`, 'w0'], [`w${i + 1}`]))
  return [
    bytesField(5, [
      varintField(1, 2),
      varintField(2, 7),
      bytesField(8, 'square'),
      bytesField(9, new Uint8Array(BigInt64Array.of(3000n, 3000n).buffer)),
    ]),
    node('ConstantOfShape', ['square'], ['w0']),
    ...products,
    withAttribute(node('ReduceMax', [`w${count}`], ['nothing']), intAttribute('keepdims', 0)),
    node('Add', ['looked_up', 'nothing'], ['found']),
  ]
}

function intAttribute(name: string, value: number): Uint8Array[] {
  return [bytesField(1, name), varintField(3, value), varintField(20, 2)]
}

/** A node is one length-delimited field; its attribute goes to the end of it. */
function withAttribute(plain: Uint8Array, attribute: readonly Uint8Array[]): Uint8Array {
  let start = 1
  while (plain[start]! >= 0x80) start++
  return bytesField(1, concat([plain.subarray(start + 1), bytesField(5, attribute)]))
}

/** A byte-level vocabulary: a token for each byte, and one for each longer piece, which no text is encoded to. */
function tokenizer(pieces: readonly Uint8Array[], end: number): object {
  const vocab = Object.fromEntries(pieces.map((bytes, id) => [byteLevel(bytes), id]))
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: SPECIAL.map((content, i) => ({
      id: end + i,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: null,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
    post_processor: null,
    decoder: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      vocab,
      merges: [],
    },
  }
}

/** Each byte as a printable character: its own where it has one, else the next free one from U+0100. */
function byteLevel(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => String.fromCodePoint(BYTE_CHARACTERS[byte]!)).join('')
}

const BYTE_CHARACTERS: number[] = []
for (let byte = 0, free = 0x100; byte < 256; byte++) {
  const printable = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad)
  BYTE_CHARACTERS.push(printable ? byte : free++)
}
