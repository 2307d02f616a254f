import { describe, expect, test } from 'vitest'
import { LENGTH, LENGTH_LESS_ONE, withLengthInputs } from '../../src/graph-passes/length-inputs.ts'
import { encodeGraph, readGraphFile } from '../../src/onnx-file/graph-file.ts'
import { attentionDecoder } from '../support/attention-decoder.ts'
import { graphFile } from '../support/graph-file.ts'
import { TINY_MODEL } from '../support/models.ts'
import { recordedDecoder } from '../support/recorded-decoder.ts'
import { INT64, node, value } from '../support/tiny-graphs.ts'
import { toyDecoder } from '../support/toy-decoder.ts'

const read = (bytes: Uint8Array) => readGraphFile(graphFile(bytes))

describe('lengths as inputs', () => {
  test.each([
    ['a tiny decoder', () => read(recordedDecoder())],
    ['the embedded model', () => readGraphFile(TINY_MODEL.q4)],
  ] as const)('%s takes two lengths and no mask, and nothing is left of what made them', (_, graphOf) => {
    const graph = graphOf()
    const patched = withLengthInputs(graph)!
    expect(patched.inputs).not.toContain('attention_mask')
    expect(patched.inputs).toEqual(expect.arrayContaining([LENGTH_LESS_ONE, LENGTH]))
    const opTypes = patched.nodes.map(({ opType }) => opType)
    for (const gone of ['ReduceSum', 'Shape']) expect(opTypes).not.toContain(gone)
    expect(opTypes.filter((type) => type === 'GroupQueryAttention')).toEqual(
      graph.nodes.map(({ opType }) => opType).filter((type) => type === 'GroupQueryAttention'),
    )
  })

  test('what is written is a graph again, without the input', () => {
    const patched = withLengthInputs(read(recordedDecoder()))!
    const again = readGraphFile(graphFile(encodeGraph(patched)), { isOurs: true })
    expect([...again.inputs].sort()).toEqual([...patched.inputs].sort())
  })

  test.each([
    ['no attention', () => read(toyDecoder({ layers: ['concat'] }))],
    ['lengths made in another way', () => read(attentionDecoder('plain'))],
    ['another reader of the mask', () => read(withAnotherReader())],
    ['a mask summed along another axis', () => read(recordedDecoder({ axis: 0 }))],
  ] as const)('%s: left as it is', (_, graphOf) => {
    expect(withLengthInputs(graphOf())).toBeUndefined()
  })
})

/** The mask is also given back. */
const withAnotherReader = (): Uint8Array =>
  recordedDecoder({
    extra: [
      node('Identity', ['attention_mask'], ['mask.again']),
      value('output', 'mask.again', ['batch', 'total'], INT64),
    ],
  })
