/** Files that are no graph, or whose weights are not where they should be: found before the runtime sees them. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readRopeTables } from '../../src/backend/onnx/plan/rope-table.ts'
import { SpoutError } from '../../src/errors.ts'
import { keepLastRows } from '../../src/graph-passes/keep-last-rows.ts'
import { encodeGraph, readGraphFile } from '../../src/onnx-file/graph-file.ts'
import { placeOf } from '../../src/onnx-file/tensor-bytes.ts'
import { concat, varintField } from '../../src/onnx-file/wire.ts'
import { openCApiRuntime } from '../../src/onnx-runtime/c-session.ts'
import { folderWith, graphFile } from '../support/graph-file.ts'
import { runGraph } from '../support/run-graph.ts'
import {
  bytesOfField,
  externalTensor,
  FLOAT,
  graphAttribute,
  initializer,
  model,
  node,
  tensor,
  value,
} from '../support/tiny-graphs.ts'
import { toyDecoder, toyMerged } from '../support/toy-decoder.ts'

/** y = x + w, with w of 1,000 numbers elsewhere. */
function withExternal(entries: Record<string, string>): Uint8Array {
  return model([
    node('Add', ['x', 'w'], ['y']),
    externalTensor('w', [1000], entries),
    value('input', 'x', [1000]),
    value('output', 'y', [1000]),
  ])
}

function refused(path: string, message: RegExp, code = 'config'): void {
  expect(() => readGraphFile(path)).toThrow(
    expect.objectContaining({ code, message: expect.stringMatching(message) }),
  )
}

describe('files that are no graph', () => {
  const cases: readonly [string, string | Uint8Array, RegExp][] = [
    ['empty', '', /model\.onnx is empty \(0 bytes\)/],
    [
      'a Git LFS pointer',
      'version https://git-lfs.github.com/spec/v1\noid sha256:ab\n',
      /a Git LFS pointer \(\d+ bytes\)/,
    ],
    ['a web page', '<!DOCTYPE html><html></html>', /a web page/],
    ['an error in JSON', '{"error":"Entry not found"}', /a JSON text/],
    ['a text', 'Entry not found', /model\.onnx \(15 bytes\): not a complete ONNX file/],
    ['an empty message of another kind', Uint8Array.of(8, 1), /model\.onnx holds no ONNX graph/],
    [
      'cut short',
      toyDecoder({ layers: ['gqa'] }).subarray(0, 2000),
      /model\.onnx \(2000 bytes\): not a complete/,
    ],
  ]
  test.each(cases)('%s', (_, content, message) => {
    refused(join(folderWith({ 'model.onnx': content }), 'model.onnx'), message)
  })

  test('a folder', () => refused(folderWith({}), /is not a file/))

  test('nothing', () => refused(join(folderWith({}), 'model.onnx'), /model\.onnx is not there/, 'not-found'))

  test.skipIf(process.platform === 'win32')(
    'a pipe is refused without waiting for its writer (needs mkfifo)',
    () => {
      const path = join(folderWith({}), 'model.onnx')
      execFileSync('mkfifo', [path])
      refused(path, /model\.onnx is not a file/)
    },
  )
})

describe('weights in other files', () => {
  const file = (entries: Record<string, string>, data?: Uint8Array): string => {
    const files = { 'model.onnx': withExternal(entries), ...(data ? { 'model.onnx_data': data } : {}) }
    return join(folderWith(files), 'model.onnx')
  }
  const whole = { location: 'model.onnx_data', offset: '0', length: '4000' }

  test('are mapped from where they are', async () => {
    const data = new Uint8Array(Float32Array.from({ length: 1000 }, (_, i) => i).buffer)
    const graph = readGraphFile(file(whole, data))
    const session = await openCApiRuntime().createSession(
      { bytes: encodeGraph(graph), weightsFolder: graph.weightsFolder },
      { threads: 1, spinning: false },
    )
    session.bindData('x', 'float32', new Float32Array(new ArrayBuffer(4000)).fill(0.5), [1000])
    session.bindOutput('y')
    await session.run()
    expect((session.takeOutput('y').data as Float32Array)[999]).toBe(999.5)
    await session.dispose()
  })

  const cases: readonly [string, Record<string, string>, RegExp][] = [
    ['missing', whole, /^model\.onnx_data: missing/],
    [
      'outside',
      { ...whole, location: '../secret' },
      /^model\.onnx: its weights are said to lie in "\.\.\/secret", outside its folder/,
    ],
    ['outside by a detour', { ...whole, location: 'a/../../secret' }, /outside its folder/],
    ['outside by backslash', { ...whole, location: '..\\secret' }, /outside its folder/],
    ['at an absolute path', { ...whole, location: '/etc/hostname' }, /outside its folder/],
  ]
  test.each(cases)('%s', (_, entries, message) => refused(file(entries), message))

  const ranges: readonly [string, Record<string, string>, RegExp][] = [
    ['short', whole, /^model\.onnx_data: cut off: 3999 bytes of at least 4000/],
    ['short behind an offset', { ...whole, offset: '4' }, /cut off: 3999 bytes of at least 4004/],
    ['short without a length', { location: 'model.onnx_data' }, /cut off: 3999 bytes of at least 4000/],
    [
      'of another length',
      { ...whole, length: '400' },
      /"w" has offset "0", length "400"; expected a length of 4000/,
    ],
    ['of a huge length', { ...whole, length: '99999999999999999999' }, /expected a length of 4000/],
    ['at a negative offset', { ...whole, offset: '-8' }, /"w" has offset "-8"/],
    ['at no number', { ...whole, offset: '1e' }, /"w" has offset "1e"/],
  ]
  test.each(ranges)('%s', (_, entries, message) => refused(file(entries, new Uint8Array(3999)), message))

  test('a link that leaves the model', () => {
    const path = file(whole)
    const outside = join(folderWith({ secret: new Uint8Array(4000) }), 'secret')
    symlinkSync(outside, join(dirname(path), 'model.onnx_data'))
    refused(path, /^model\.onnx_data: a link that leads outside the model's folder/)
  })

  test('a folder in the place of the data', () => {
    const path = file(whole)
    mkdirSync(join(dirname(path), 'model.onnx_data'))
    refused(path, /^model\.onnx_data: not a regular file/)
  })

  test('links of a hub snapshot into its blobs are followed', () => {
    const root = folderWith({})
    const snapshot = join(root, 'snapshots/abc/onnx')
    mkdirSync(snapshot, { recursive: true })
    mkdirSync(join(root, 'blobs'))
    writeFileSync(join(root, 'blobs/1'), withExternal(whole))
    writeFileSync(join(root, 'blobs/2'), new Uint8Array(4000))
    symlinkSync('../../../blobs/1', join(snapshot, 'model.onnx'))
    symlinkSync('../../../blobs/2', join(snapshot, 'model.onnx_data'))
    const graph = readGraphFile(join(snapshot, 'model.onnx'))
    expect(graph.weightsFolder).toBe(join(root, 'blobs'))
    expect(Buffer.from(encodeGraph(graph)).includes('model.onnx_data')).toBe(false)
  })

  test('inside a branch and in a sparse tensor they are seen as well', () => {
    const inside = [
      externalTensor('w', [1000], whole),
      node('Identity', ['w'], ['z']),
      value('output', 'z', [1000]),
    ]
    const branches = node('If', ['c'], ['y'], { attributes: [graphAttribute('then_branch', inside)] })
    refused(graphFile(model([branches])), /^model\.onnx_data: missing/)
    const sparse = bytesOfField(15, [bytesOfField(1, bytesOfField(13, [bytesOfField(1, 'location')]))])
    refused(graphFile(model([node('Add', ['x', 'y'], ['z']), sparse])), /a sparse tensor in another file/)
  })

  test('a shape that no file can hold', () => {
    const entries = { location: 'model.onnx_data' }
    for (const dims of [
      [2 ** 40, 2 ** 40],
      [-1, 2],
    ]) {
      const bytes = model([node('Add', ['x', 'w'], ['y']), externalTensor('w', dims, entries)])
      const path = join(folderWith({ 'model.onnx': bytes, 'model.onnx_data': 'x' }), 'model.onnx')
      refused(path, /a tensor of shape \[-?\d+, \d+\]/)
    }
  })
})

test('large weights stay where they are, small ones come along', () => {
  const large = new Float32Array(5000).fill(0.25)
  const bytes = model([
    node('Add', ['x', 'w'], ['y']),
    initializer('w', [5000], large),
    initializer('b', [2], Float32Array.of(7, 8)),
  ])
  const skeleton = encodeGraph(readGraphFile(graphFile(bytes)))
  expect(skeleton.length).toBeLessThan(1000)
  expect(bytes.length).toBeGreaterThan(20_000)
})

test('graphs nested for ever are refused', () => {
  let inner: Uint8Array[] = [node('Identity', ['x'], ['y'])]
  for (let i = 0; i < 200; i++)
    inner = [node('If', ['c'], ['y'], { attributes: [graphAttribute('g', inner)] })]
  refused(graphFile(model(inner)), /nested too deep/)
})

test('a node with many inputs many times over does not take for ever', () => {
  const nodes = Array.from({ length: 200 }, (_, i) =>
    node('Sum', Array<string>(50).fill(`v${i}`), [`v${i + 1}`]),
  )
  const head = [node('MatMul', ['x', 'v200'], ['logits']), value('output', 'logits', ['b', 's', 4])]
  expect(keepLastRows(readGraphFile(graphFile(model([...nodes, ...head]))))).toBeUndefined()
})

describe('damaged graphs', () => {
  const graphs = [
    toyDecoder({ layers: ['window', 'conv'], positionRows: 1 }),
    toyMerged(),
    withExternal({ location: 'model.onnx_data', offset: '0', length: '4000' }),
  ]
  const folder = folderWith({ 'model.onnx_data': new Uint8Array(4000) })
  const path = join(folder, 'model.onnx')

  /** Reads what is in the file as loading does; anything but success and exit 78 is thrown. */
  function readDamaged(bytes: Uint8Array): void {
    writeFileSync(path, bytes)
    try {
      const graph = readGraphFile(path)
      readRopeTables(graph)
      encodeGraph(keepLastRows(graph) ?? graph)
    } catch (error) {
      if (!(error instanceof SpoutError) || error.code !== 'config') throw error
    }
  }

  test('cut anywhere they are refused or read, nothing else', () => {
    const small = graphs[2]!
    for (let end = 0; end < small.length; end++) readDamaged(small.subarray(0, end))
    const cut = fc.property(fc.nat(1), fc.nat(), (which, end) => {
      readDamaged(graphs[which]!.subarray(0, end % graphs[which]!.length))
    })
    fc.assert(cut, { numRuns: 600 })
  })

  test('with bytes changed, cut out or put in as well', () => {
    const change = fc.record({
      at: fc.nat(),
      remove: fc.nat(6),
      put: fc.uint8Array({ maxLength: 6 }),
    })
    const changes = fc.array(change, { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(fc.nat(graphs.length - 1), changes, (which, list) => {
        let bytes = Buffer.from(graphs[which]!)
        for (const { at, remove, put } of list) {
          const place = at % bytes.length
          bytes = Buffer.concat([bytes.subarray(0, place), put, bytes.subarray(place + remove)])
        }
        readDamaged(bytes)
      }),
      { numRuns: 1000 },
    )
  })

  test('any bytes at all', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), readDamaged), { numRuns: 500 })
  })
})

describe('what could be taken for something else', () => {
  const body = [value('input', 'x', [4]), value('output', 'y', [4])]
  const add = node('Add', ['x', 'w'], ['y'])
  const weight = (first: number) => initializer('w', [4], Float32Array.of(first, 0, 0, 0))

  test('of two initializers of one name the first counts, as for the runtime', async () => {
    const graph = readGraphFile(graphFile(model([add, weight(1), weight(2), ...body])))
    const { y } = await runGraph(
      { bytes: encodeGraph(graph) },
      { x: { type: 'float32', dims: [4], data: new Float32Array(4) } },
    )
    expect(y).toEqual([1, 0, 0, 0])
    expect(graph.otherFields.filter((bytes) => Buffer.from(bytes).includes('w')).length).toBe(1)
  })

  test('weights inside stay where they are, whatever is said of another file, unless it is said that they lie there', () => {
    const inside = tensor('w', [4], { type: FLOAT, values: Float32Array.of(1, 2, 3, 4) })
    const entry = bytesOfField(13, [bytesOfField(1, 'location'), bytesOfField(2, 'w.bin')])
    const both = (marked: number): string => {
      const marks = [[], [varintField(14, 0)], [varintField(14, 1)]][marked]!
      const file = model([add, bytesOfField(5, [inside, entry, ...marks]), ...body])
      return join(folderWith({ 'model.onnx': file, 'w.bin': new Uint8Array(16) }), 'model.onnx')
    }
    for (const marked of [0, 1]) {
      const graph = readGraphFile(both(marked))
      expect([...(placeOf(graph, 'w') as Uint8Array)]).toEqual([
        ...new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer),
      ])
      expect(graph.files).toHaveLength(1)
    }
    expect(placeOf(readGraphFile(both(2)), 'w')).toMatchObject({ length: Number.NaN })
    refused(
      graphFile(model([add, bytesOfField(5, [inside, varintField(14, 1)]), ...body])),
      /which is not named/,
    )
  })

  test.each([
    ['an operator of our domain', [node('Matmul4_16_64x64', ['x'], ['y'], { domain: 'spout' }), ...body]],
    [
      'one in a body',
      [
        node('If', ['x'], ['y'], {
          attributes: [graphAttribute('then_branch', [node('A', [], ['z'], { domain: 'spout' })])],
        }),
        ...body,
      ],
    ],
    ['a value with a name of ours', [add, initializer('spout.one', [1], Float32Array.of(5)), ...body]],
  ])('%s', (_, graph) => refused(graphFile(model(graph)), /names that are kept for this program/))

  test('a function in the place of a standard operator', () => {
    const named = (domain: string) =>
      bytesOfField(25, [bytesOfField(1, 'Add'), add.subarray(0, 0), bytesOfField(10, domain)])
    for (const domain of ['', 'ai.onnx'])
      refused(graphFile(concat([model([add, weight(1), ...body]), named(domain)])), /a function of its own/)
    expect(
      readGraphFile(graphFile(concat([model([add, weight(1), ...body]), named('elsewhere')]))).nodes,
    ).toHaveLength(1)
  })

  test('two graphs in one file', () => {
    const one = model([add, weight(1), ...body])
    refused(graphFile(concat([one, model([add, weight(2), ...body])])), /two graphs/)
  })
})
