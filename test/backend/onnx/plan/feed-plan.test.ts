import { afterEach, describe, expect, test } from 'vitest'
import { loadSession } from '../../../../src/backend/onnx/load-session.ts'
import { OnnxBackend } from '../../../../src/backend/onnx/onnx-backend.ts'
import type { FeedPlan } from '../../../../src/backend/onnx/plan/feed-plan.ts'
import type { ModelConfig } from '../../../../src/model/resolved-model.ts'
import { openRuntime } from '../../../../src/onnx-runtime/open-runtime.ts'
import { byteTokenizer } from '../../../support/byte-tokenizer.ts'
import { graphFile } from '../../../support/graph-file.ts'
import { emptyConfig } from '../../../support/open-onnx.ts'
import {
  BOOL,
  FLOAT,
  INT64,
  initializer,
  intAttribute,
  model,
  node,
  value,
} from '../../../support/tiny-graphs.ts'
import { type ToyOptions, toyDecoder } from '../../../support/toy-decoder.ts'

const config = { ...emptyConfig, headDim: 16 }
const opened: { dispose(): Promise<void> }[] = []

afterEach(async () => {
  for (const each of opened.splice(0)) await each.dispose()
})

async function load(bytes: Uint8Array, said: ModelConfig = config) {
  const runtime = await openRuntime('c-api')
  const loaded = await loadSession(runtime, graphFile(bytes), said, { threads: 1, spinning: false })
  opened.push(loaded)
  return loaded
}

async function planOf(toy: ToyOptions, said?: ModelConfig): Promise<FeedPlan> {
  return (await load(toyDecoder(toy), said)).plan
}

/** A graph whose inputs and outputs are these; the logits are those of one id. */
function declaring(...parts: Uint8Array[]): Uint8Array {
  return model([...parts, initializer('row', [1, 1, 7], new Float32Array(7))])
}

const ids = value('input', 'input_ids', ['batch', 'tokens'], INT64)
const logits = [node('Identity', ['row'], ['logits']), value('output', 'logits', ['batch', 'rows', 7])]
const past = (name: string, dims: (number | string)[], type = FLOAT): Uint8Array =>
  value('input', name, dims, type)
const present = (from: string, name: string, dims: (number | string)[], type = FLOAT): Uint8Array[] => [
  node('Identity', [from], [name]),
  value('output', name, dims, type),
]
const kv = (name: string, dims: (number | string)[]): Uint8Array[] => {
  const key = `past_key_values.0.${name}`
  return [
    past(key, dims),
    ...present(key, `present.0.${name}`, [...dims.slice(0, 2), 'longer', ...dims.slice(3)]),
  ]
}

describe('what a graph declares and this program does not know is named', () => {
  const wrong: readonly [string, Uint8Array, RegExp][] = [
    [
      'no ids',
      declaring(value('input', 'tokens', ['batch', 'n'], INT64), ...logits),
      /found inputs tokens int64 \[batch, n\]; expected input_ids/,
    ],
    [
      'ids of another type',
      declaring(value('input', 'input_ids', ['batch', 'n'], 6), ...logits),
      /found input input_ids int32 \[batch, n\]; expected int64 of 2 axes/,
    ],
    [
      'ids of another rank',
      declaring(value('input', 'input_ids', ['n'], INT64), ...logits),
      /found input input_ids int64 \[n\]; expected int64 of 2 axes/,
    ],
    [
      'a fixed number of ids',
      declaring(value('input', 'input_ids', [1, 128], INT64), ...logits),
      /found input_ids int64 \[1, 128\]; expected a free number of ids/,
    ],
    [
      'a mask of fixed length',
      declaring(ids, value('input', 'attention_mask', [1, 128], INT64), ...logits),
      /found attention_mask int64 \[1, 128\]; expected a mask of free length/,
    ],
    [
      'positions of four axes',
      declaring(ids, value('input', 'position_ids', [4, 'batch', 'n'], INT64), ...logits),
      /found input position_ids int64 \[4, batch, n\]; expected \[3, batch, tokens\]/,
    ],
    [
      'a branch that is no flag',
      declaring(ids, value('input', 'use_cache_branch', ['batch', 2], BOOL), ...logits),
      /found input use_cache_branch bool/,
    ],
    [
      'an unknown input',
      declaring(ids, value('input', 'pixel_values', ['batch', 3, 'w', 'h']), ...logits),
      /found input pixel_values float32 \[batch, 3, w, h\]; expected input_ids, attention_mask/,
    ],
    [
      'a past without a present',
      declaring(ids, past('past_key_values.0.key', ['batch', 1, 'past', 4]), ...logits),
      /found input past_key_values\.0\.key float32 \[batch, 1, past, 4\]/,
    ],
    [
      'a past and a present of different rank',
      declaring(
        ids,
        past('past_key_values.0.key', ['batch', 1, 'past', 4]),
        initializer('flat', [1, 4], new Float32Array(4)),
        ...present('flat', 'present.0.key', [1, 4]),
        ...logits,
      ),
      /found past_key_values\.0\.key float32 \[batch, 1, past, 4\] and present\.0\.key float32 \[1, 4\]/,
    ],
    [
      'a batch of two',
      declaring(ids, ...kv('key', [2, 1, 'past', 4]), ...logits),
      /found past_key_values\.0\.key float32 \[2, 1, past, 4\]; expected a batch of one/,
    ],
    [
      'a head size that nobody tells',
      declaring(ids, ...kv('key', ['batch', 1, 'past', 'size']), ...logits),
      /found past_key_values\.0\.key float32 \[batch, 1, past, size\]; expected its sizes/,
    ],
    [
      'a growing state that is no key or value',
      declaring(
        ids,
        past('past_compressor.0.gate', ['batch', 'past', 4]),
        ...present('past_compressor.0.gate', 'present_compressor.0.gate', ['batch', 'more', 4]),
        ...logits,
      ),
      /found past_compressor\.0\.gate float32 \[batch, past, 4\]; expected a key, a value or a state of fixed size/,
    ],
    [
      'no logits',
      declaring(ids, node('Identity', ['row'], ['scores']), value('output', 'scores', [1, 1, 7])),
      /found outputs scores; expected logits/,
    ],
    [
      'logits of another type',
      declaring(
        ids,
        node('Cast', ['row'], ['logits'], { attributes: [intAttribute('to', INT64)] }),
        value('output', 'logits', ['batch', 'rows', 7], INT64),
      ),
      /found output logits int64 \[.*\]; expected float32 or float16/,
    ],
  ]
  test.each(wrong)('%s', async (_, bytes, message) => {
    const said = { ...emptyConfig, vocabSize: 7 }
    await expect(load(bytes, said)).rejects.toMatchObject({
      code: 'config',
      exitCode: 78,
      message: expect.stringMatching(message),
    })
  })
})

describe('what follows from the declarations', () => {
  test('keys and values of GroupQueryAttention are appended in place', async () => {
    const { slots } = await planOf({ layers: ['gqa'] })
    expect(slots).toMatchObject([
      {
        kind: 'rows',
        past: 'past_key_values.0.key',
        present: 'present.0.key',
        dims: [1, 1, 0, 16],
        axis: 2,
        inPlace: true,
      },
      { kind: 'rows', past: 'past_key_values.0.value', inPlace: true },
    ])
  })

  test('those of Concat are handed over', async () => {
    const { slots } = await planOf({ layers: ['concat'] })
    expect(slots).toMatchObject([
      { kind: 'rows', inPlace: false },
      { kind: 'rows', inPlace: false },
    ])
  })

  test('a window has its size from the first step, other states theirs', async () => {
    const { slots } = await planOf({ layers: ['window', 'conv', 'recurrent'] })
    expect(slots).toMatchObject([
      { kind: 'window', dims: [1, 1, 4, 16] },
      { kind: 'window', dims: [1, 1, 4, 16] },
      { kind: 'fixed', past: 'past_conv.1', dims: [1, 16, 2], carries: true },
      { kind: 'fixed', past: 'past_recurrent.2', dims: [1, 16], carries: false },
    ])
  })

  test('one id per run where the graph says so', async () => {
    const loaded = await load(toyDecoder({ layers: ['concat'], tokens: 1 }))
    expect(loaded.plan.chunking).toBe('single')
    const free = await load(toyDecoder({ layers: ['concat'] }))
    const rows = []
    for (const each of [loaded, free]) {
      const backend = new OnnxBackend(each, byteTokenizerOf(7), config)
      rows.push([...(await backend.forward(Int32Array.of(3, 1, 4), backend.createCache())).row])
    }
    expect(rows[0]).toEqual(rows[1])
  })

  test('a plan is plain data', async () => {
    const plan = await planOf({ layers: ['gqa', 'conv'], positionRows: 1 })
    expect(JSON.parse(JSON.stringify(plan))).toEqual(plan)
  })

  test('a graph without states is run anew for every token, and says so', async () => {
    const { warnings } = await planOf({ layers: [] })
    expect(warnings).toEqual([expect.stringContaining('no KV cache')])
  })

  test('without a word on the context there is a cautious one', async () => {
    expect((await planOf({ layers: ['gqa'] })).contextLength).toBe(2048)
    expect((await planOf({ layers: ['gqa'] }, { ...config, contextLength: 99 })).contextLength).toBe(99)
  })
})

describe('the tokenizer of another model', () => {
  test('is refused when an ordinary token has no logits', async () => {
    const loaded = await load(toyDecoder({ layers: ['gqa'] }))
    expect(() => new OnnxBackend(loaded, byteTokenizer, config)).toThrow(
      expect.objectContaining({ exitCode: 78, message: expect.stringMatching(/257 tokens.* logits for 23/) }),
    )
  })

  test('a special token beyond the logits is no such token', async () => {
    const loaded = await load(toyDecoder({ layers: ['gqa'] }))
    expect(new OnnxBackend(loaded, byteTokenizerOf(24), config).vocabSize).toBe(23)
  })
})

/** Ids below 23 are ordinary, those above are special. */
function byteTokenizerOf(vocabSize: number): typeof byteTokenizer {
  return { ...byteTokenizer, vocabSize, isSpecial: (id) => id >= 23 }
}
