/** A decoder of operators that all run on a graphics card, so that its steps can be recorded. */

import { FLOAT, INT64, initializer, integers, model, node, value } from './tiny-graphs.ts'
import { attentionLengths, TOY_VOCAB, toyAttention } from './toy-decoder.ts'

const SIZE = 16

/** @param axis along which the mask is summed; 1 in all graphs there are. @param extra further parts of the graph. */
export function recordedDecoder({
  axis = 1,
  extra = [],
}: {
  axis?: number
  extra?: Uint8Array[]
} = {}): Uint8Array {
  return model([
    value('input', 'input_ids', ['batch', 'tokens'], INT64),
    value('input', 'attention_mask', ['batch', 'total'], INT64),
    initializer('table', [TOY_VOCAB, SIZE], waves(TOY_VOCAB * SIZE, 0.7)),
    node('Gather', ['table', 'input_ids'], ['x']),
    integers('axis.1', [1], [axis]),
    integers('one', [], [1]),
    ...attentionLengths(),
    ...toyAttention(0),
    initializer('head', [SIZE, TOY_VOCAB], waves(SIZE * TOY_VOCAB, 1.3)),
    node('MatMul', ['out.0', 'head'], ['logits']),
    value('output', 'logits', ['batch', 'tokens', TOY_VOCAB], FLOAT),
    ...extra,
  ])
}

const waves = (count: number, step: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => Math.sin(i * step + step))
