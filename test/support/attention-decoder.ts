/** A decoder of one GroupQueryAttention over embeddings, and others whose keys and values somebody else sees as well. */
import {
  bytesOfField,
  graphAttribute,
  initializer,
  intAttribute,
  integers,
  model,
  node,
  value,
} from './tiny-graphs.ts'

export const VOCABULARY = 128
const HEAD = 32
const INT32 = 6
const INT64 = 7
const BOOL = 9

export const DECODERS = {
  plain: 'keys and values of its own',
  shared: 'another node reads the keys',
  inBody: 'a branch reads the keys before',
  renamed: 'the presents are copies',
  shapeless: 'the presents say nothing of their shape',
  headed: 'a matmul makes the logits',
} as const
export type DecoderKind = keyof typeof DECODERS

/** The logits are the output of the attention, and in two kinds the first key is added to them. */
export function attentionDecoder(kind: DecoderKind): Uint8Array {
  const [key, val] = ['past_key_values.0.key', 'past_key_values.0.value']
  const isRenamed = kind === 'renamed'
  const presents = isRenamed ? ['key', 'value'] : ['present.0.key', 'present.0.value']
  const hasHead = kind === 'headed'
  const isPlain = kind !== 'shared' && kind !== 'inBody'
  return model([
    ...['q', 'k', 'v'].map((name) => node('Gather', [`embedding.${name}`, 'input_ids'], [name])),
    ...lengths(),
    node(
      'GroupQueryAttention',
      ['q', 'k', 'v', key, val, 'lengths', 'total'],
      [isPlain && !hasHead ? 'logits' : 'attended', ...presents],
      {
        domain: 'com.microsoft',
        attributes: [
          intAttribute('num_heads', 4),
          intAttribute('kv_num_heads', 2),
          intAttribute('do_rotary', 0),
        ],
      },
    ),
    ...(isPlain ? [] : plusFirstKey(kind === 'shared' ? sliced('present.0.key', 'first') : fromBranch(key))),
    ...(hasHead ? [node('MatMul', ['attended', 'head'], ['logits']), table('head', VOCABULARY)] : []),
    table('embedding.q', VOCABULARY),
    table('embedding.k', 2 * HEAD),
    table('embedding.v', 2 * HEAD),
    value('input', 'input_ids', [1, 'count'], INT64),
    value('input', 'attention_mask', [1, 'all'], INT64),
    value('input', key, [1, 2, 'past', HEAD]),
    value('input', val, [1, 2, 'past', HEAD]),
    value('output', 'logits', [1, 'count', VOCABULARY]),
    ...(isRenamed
      ? presents.flatMap((name) => [node('Identity', [name], [`present.0.${name}`]), present(name)])
      : []),
    ...['present.0.key', 'present.0.value'].map(kind === 'shapeless' ? withoutShape : present),
  ])
}

const present = (name: string): Uint8Array => value('output', name, [1, 2, 'total', HEAD])
/** An output of fp32. */
const withoutShape = (name: string): Uint8Array =>
  bytesOfField(12, [bytesOfField(1, name), bytesOfField(2, [bytesOfField(1, [Uint8Array.of(8, 1)])])])

function table(name: string, width: number): Uint8Array {
  const values = Float32Array.from({ length: VOCABULARY * width }, (_, i) =>
    Math.sin(i * (0.7 + width / 100) + width),
  )
  return initializer(name, [VOCABULARY, width], values)
}

/** `lengths` and `total` from the mask. */
function lengths(): Uint8Array[] {
  const cast = (from: string, to: string, type: number): Uint8Array =>
    node('Cast', [from], [to], { attributes: [intAttribute('to', type)] })
  return [
    node('Shape', ['attention_mask'], ['mask.shape']),
    node('Gather', ['mask.shape', 'one'], ['all']),
    node('Sub', ['all', 'one'], ['before']),
    node('Reshape', ['before', 'one.one'], ['before.flat']),
    cast('before.flat', 'lengths', INT32),
    node('Reshape', ['all', 'none'], ['all.scalar']),
    cast('all.scalar', 'total', INT32),
    cast('before', 'hasPast', BOOL),
    integers('one', [1], [1]),
    integers('one.one', [2], [1, 1]),
    integers('none', [0], []),
  ]
}

const FIRST = [1, 1, 1, HEAD]

/** The first key of the first head, as `result`. */
function sliced(from: string, result: string): Uint8Array[] {
  return [node('Slice', [from, 'slice.start', 'slice.end'], [result])]
}

function fromBranch(from: string): Uint8Array[] {
  const branches = [
    graphAttribute('then_branch', [...sliced(from, 'then'), value('output', 'then', FIRST)]),
    graphAttribute('else_branch', [node('Identity', ['zeros'], ['else']), value('output', 'else', FIRST)]),
  ]
  return [
    node('If', ['hasPast'], ['first'], { attributes: branches }),
    initializer('zeros', FIRST, new Float32Array(HEAD)),
  ]
}

function plusFirstKey(first: readonly Uint8Array[]): Uint8Array[] {
  return [
    ...first,
    node('Reshape', ['first', 'row.shape'], ['first.row']),
    node('Concat', Array(4).fill('first.row'), ['first.rows'], { attributes: [intAttribute('axis', 2)] }),
    node('Add', ['attended', 'first.rows'], ['logits']),
    integers('slice.start', [4], [0, 0, 0, 0]),
    integers('slice.end', [4], FIRST),
    integers('row.shape', [3], [1, 1, HEAD]),
  ]
}
