/** Graphs that the runtime refuses, models that are split in two, and what a CPU cannot do well. */
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { RuntimeChoice } from '../../../src/onnx-runtime/open-runtime.ts'
import { folderWith, graphFile } from '../../support/graph-file.ts'
import { continueGreedily, feed } from '../../support/greedy.ts'
import { emptyConfig, openModel } from '../../support/open-onnx.ts'
import { bytesOfField, INT64, initializer, integers, model, node, value } from '../../support/tiny-graphs.ts'
import { toyDecoder, toyEmbedding } from '../../support/toy-decoder.ts'

const config = { ...emptyConfig, headDim: 16 }

const RUNTIMES: readonly RuntimeChoice[] = ['c-api', 'node']

const ids = value('input', 'input_ids', ['batch', 'tokens'], INT64)
const logits = value('output', 'logits', ['batch', 'tokens', 4])

describe.each(RUNTIMES)('%s: a graph that ONNX Runtime refuses', (runtime) => {
  const cases: readonly [string, Uint8Array, RegExp][] = [
    [
      'an operator it does not have',
      model([ids, node('SelectiveScan', ['input_ids'], ['logits'], { domain: 'com.microsoft' }), logits]),
      /^model graph: model\.onnx: ONNX Runtime has no operator com\.microsoft:SelectiveScan$/,
    ],
    [
      'a standard operator it does not have',
      model([ids, node('Softmin', ['input_ids'], ['logits']), logits]),
      /ONNX Runtime has no operator Softmin in opset 17$/,
    ],
    [
      'an opset it does not know',
      model([ids, node('Identity', ['input_ids'], ['logits']), logits], 99),
      /model\.onnx: opset 99; ONNX Runtime knows up to \d+$/,
    ],
    [
      'a graph that does not fit together',
      model([initializer('w', [2, 3], new Float32Array(6)), node('MatMul', ['w', 'w'], ['logits']), logits]),
      /model\.onnx: .*Incompatible dimensions/,
    ],
    [
      'a file that is no graph inside',
      model([ids, bytesOfField(1, Uint8Array.of(10, 3, 65, 66, 67)), logits]),
      /model\.onnx/,
    ],
  ]
  test.each(cases)('%s', async (_, bytes, message) => {
    await expect(openModel(graphFile(bytes), { runtime, config })).rejects.toMatchObject({
      code: 'config',
      exitCode: 78,
      message: expect.stringMatching(message),
    })
  })

  test('more memory than there is ends with the code for that', async () => {
    const bytes = model([
      value('input', 'input_ids', ['batch', 'tokens'], INT64),
      // 2^40 numbers a row.
      node('ConstantOfShape', ['size'], ['logits']),
      integers('size', [3], [1, 2 ** 40, 4]),
      value('output', 'logits', ['batch', 'tokens', 4]),
    ])
    const { backend } = await openModel(graphFile(bytes), { runtime, config })
    await expect(backend.forward(Int32Array.of(1, 2), backend.createCache())).rejects.toMatchObject({
      exitCode: 71,
      message: expect.stringMatching(/^memory: ONNX Runtime could not get \d+ bytes$/),
    })
    await backend.dispose()
  })
})

describe.each(RUNTIMES)('%s: a model split into embeddings and decoder', (runtime) => {
  const prompt = Int32Array.of(3, 1, 4, 1, 5)
  const decoder = toyDecoder({ layers: ['gqa', 'conv'], positionRows: 3, input: 'embeds' })

  async function idsOf(path: string, size?: number): Promise<number[]> {
    const { backend } = await openModel(path, { runtime, config })
    const cache = backend.createCache()
    const first = await feed(backend, cache, prompt, size)
    const ids = await continueGreedily(backend, cache, { logits: first, count: 12 })
    cache.trim(4)
    const again = await feed(backend, cache, prompt.subarray(4))
    expect(await continueGreedily(backend, cache, { logits: again, count: 12 })).toEqual(ids)
    await backend.dispose()
    return ids
  }

  test('gives what it gives in one piece', async () => {
    const whole = graphFile(toyDecoder({ layers: ['gqa', 'conv'], positionRows: 3 }))
    const folder = folderWith({
      'decoder_model_merged.onnx': decoder,
      'embed_tokens.onnx': toyEmbedding(),
    })
    const expected = await idsOf(whole)
    const split = join(folder, 'decoder_model_merged.onnx')
    expect(await idsOf(split)).toEqual(expected)
    expect(await idsOf(split, 2)).toEqual(expected)
  })

  test('the embeddings of the same dtype are taken, else those that are there', async () => {
    const folder = folderWith({
      'decoder_model_merged_q4.onnx': decoder,
      'embed_tokens.onnx': 'no graph',
      'embed_tokens_q4.onnx': toyEmbedding(),
    })
    const path = join(folder, 'decoder_model_merged_q4.onnx')
    const ids = await idsOf(path)
    rmSync(join(folder, 'embed_tokens_q4.onnx'))
    writeFileSync(join(folder, 'embed_tokens.onnx'), toyEmbedding())
    expect(await idsOf(path)).toEqual(ids)
  })

  test('without its embeddings it is not complete', async () => {
    const path = join(folderWith({ 'decoder_model_merged.onnx': decoder }), 'decoder_model_merged.onnx')
    await expect(openModel(path, { runtime, config })).rejects.toMatchObject({
      code: 'not-found',
      message: expect.stringContaining('decoder_model_merged.onnx wants embeddings'),
    })
  })

  test('embeddings that want more than ids are not known', async () => {
    const pictures = model([
      ids,
      value('input', 'image_features', ['n', 16]),
      initializer('table', [4, 16], new Float32Array(64)),
      node('Gather', ['table', 'input_ids'], ['inputs_embeds']),
      value('output', 'inputs_embeds', ['batch', 'tokens', 16]),
    ])
    const folder = folderWith({ 'decoder_model_merged.onnx': decoder, 'embed_tokens.onnx': pictures })
    await expect(
      openModel(join(folder, 'decoder_model_merged.onnx'), { runtime, config }),
    ).rejects.toMatchObject({
      exitCode: 78,
      message: expect.stringContaining('image_features float32 [n, 16]'),
    })
  })
})
