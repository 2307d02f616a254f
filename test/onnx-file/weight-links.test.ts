/** Weights behind links: what ONNX Runtime and Python's hub library load is loaded, nothing outside the model is. */
import { chownSync, lchownSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { InferenceSession } from 'onnxruntime-node'
import { beforeEach, describe, expect, test } from 'vitest'
import { checkModelFiles } from '../../src/model/check-model-files.ts'
import { encodeGraph, readGraphFile } from '../../src/onnx-file/graph-file.ts'
import { temporaryFolder } from '../support/model-repo.ts'
import { runGraph } from '../support/run-graph.ts'
import { externalTensor, model, node, value } from '../support/tiny-graphs.ts'

const COUNT = 1000
/** y = x + w + v, with w and v in files of their own. */
const GRAPH = model([
  node('Add', ['x', 'w'], ['m']),
  node('Add', ['m', 'v'], ['y']),
  externalTensor('w', [COUNT], { location: 'w.data', offset: '0', length: '4000' }),
  externalTensor('v', [COUNT], { location: 'parts/v.data' }),
  value('input', 'x', [COUNT]),
  value('output', 'y', [COUNT]),
])
const W = numbers((i) => i)
const V = numbers((i) => 1000 * i)

function numbers(of: (i: number) => number): Uint8Array {
  return new Uint8Array(Float32Array.from({ length: COUNT }, (_, i) => of(i)).buffer)
}

const SNAPSHOT = `hub/models--org--name/snapshots/${'a'.repeat(40)}`
const BLOBS = 'hub/models--org--name/blobs'
const [G, B1, B2] = ['1', '2', '3'].map((digit) => digit.repeat(64)) as [string, string, string]

let root: string
beforeEach(() => {
  root = temporaryFolder()
})

function file(path: string, content: Uint8Array | string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true })
  writeFileSync(join(root, path), content)
}

function link(path: string, target: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true })
  symlinkSync(target, join(root, path))
}

/** A model in a folder, all its files real. */
function plainModel(folder: string): void {
  file(`${folder}/model.onnx`, GRAPH)
  file(`${folder}/w.data`, W)
  file(`${folder}/parts/v.data`, V)
}

/** A model in the cache as Python's library makes it. @param target of the links, by the blob's name */
function cachedModel(target = (up: string, blob: string): string => `${up}/../../blobs/${blob}`): void {
  file(`${BLOBS}/${G}`, GRAPH)
  file(`${BLOBS}/${B1}`, W)
  file(`${BLOBS}/${B2}`, V)
  link(`${SNAPSHOT}/onnx/model.onnx`, target('..', G))
  link(`${SNAPSHOT}/onnx/w.data`, target('..', B1))
  link(`${SNAPSHOT}/onnx/parts/v.data`, target('../..', B2))
}

function move(from: string, to: string): void {
  mkdirSync(dirname(join(root, to)), { recursive: true })
  renameSync(join(root, from), join(root, to))
}

/** Moves a file and leaves a link in its place. */
function moveAndLink(from: string, to: string): void {
  move(from, to)
  symlinkSync(join(root, to), join(root, from))
}

const check = (path: string) =>
  checkModelFiles({ folder: dirname(join(root, path)), onnxPath: join(root, path) })

async function expectLoads(path: string): Promise<void> {
  expect(check(path)).toBe(GRAPH.length + 8000)
  const graph = readGraphFile(join(root, path))
  expect(graph.files).toEqual(
    ['model.onnx', 'w.data', 'parts/v.data'].map((name) => join(root, dirname(path), name)),
  )
  const source = { bytes: encodeGraph(graph), weightsFolder: graph.weightsFolder }
  const x = { type: 'float32', dims: [COUNT], data: new Float32Array(COUNT).fill(0.5) } as const
  expect((await runGraph(source, { x })).y![999]).toBe(999.5 + 999_000)
}

function expectRefused(path: string, detail: RegExp): void {
  for (const act of [() => check(path), () => readGraphFile(join(root, path))]) {
    expect(act).toThrow(expect.objectContaining({ code: 'config', message: expect.stringMatching(detail) }))
  }
}

/** What ONNX Runtime does with the path. */
async function runtimeLoads(path: string): Promise<boolean> {
  try {
    await (await InferenceSession.create(join(root, path), { logSeverityLevel: 4 })).release()
    return true
  } catch {
    return false
  }
}

describe.skipIf(process.platform === 'win32')('a folder with links, as ONNX Runtime takes it', () => {
  const loaded: readonly [string, () => void][] = [
    [
      'the graph a link, its data beside the link',
      () => {
        plainModel('model')
        moveAndLink('model/model.onnx', 'store/graph')
      },
    ],
    [
      'the graph a link, some data beside it and some beside its target',
      () => {
        plainModel('model')
        moveAndLink('model/model.onnx', 'store/model.onnx')
        moveAndLink('model/w.data', 'store/w.data')
      },
    ],
    [
      'all files links into one store',
      () => {
        plainModel('store')
        for (const name of ['model.onnx', 'w.data', 'parts/v.data'])
          link(`model/${name}`, join(root, 'store', name))
      },
    ],
    [
      'a folder of the weights that is a link beside the graph',
      () => {
        plainModel('model')
        move('model/parts', 'model/elsewhere/deep')
        link('model/parts', 'elsewhere/deep')
      },
    ],
    [
      'the folder of the graph a link',
      () => {
        plainModel('store')
        link('model', 'store')
      },
    ],
  ]
  test.each(loaded)('loaded: %s', async (_, make) => {
    make()
    expect(await runtimeLoads('model/model.onnx')).toBe(true)
    await expectLoads('model/model.onnx')
  })

  const refused: readonly [string, () => void][] = [
    [
      'data alone a link to elsewhere, as a clone may have it',
      () => {
        plainModel('model')
        moveAndLink('model/w.data', 'home/.ssh/id')
      },
    ],
    [
      'a folder of weights alone a link to elsewhere',
      () => {
        plainModel('model')
        moveAndLink('model/parts', 'home/.ssh')
      },
    ],
    [
      'graph and data links to two places',
      () => {
        plainModel('model')
        moveAndLink('model/model.onnx', 'store/model.onnx')
        moveAndLink('model/w.data', 'home/.ssh/id')
      },
    ],
    [
      'links in a circle about data that looks like blobs',
      () => {
        plainModel('model')
        moveAndLink('model/w.data', 'home/blobs/id')
        moveAndLink('home/blobs/id', 'home/.ssh/id')
      },
    ],
  ]
  test.each(refused)('refused: %s', async (_, make) => {
    make()
    expect(await runtimeLoads('model/model.onnx')).toBe(false)
    expectRefused('model/model.onnx', /: a link that leads outside the model's folder$/)
  })

  test('refused: data beside the target of the graph alone, where nobody would look for it', () => {
    plainModel('store')
    link('model/model.onnx', '../store/model.onnx')
    expectRefused('model/model.onnx', /^w\.data: missing/)
  })
})

describe.skipIf(process.platform === 'win32')('a model in the cache', () => {
  const graph = `${SNAPSHOT}/onnx/model.onnx`
  const loaded: readonly [string, () => void][] = [
    ['as the library makes it', () => cachedModel()],
    ['with absolute links', () => cachedModel((_, blob) => join(root, BLOBS, blob))],
    ['without links, as on a disk that has none', () => plainModel(`${SNAPSHOT}/onnx`)],
    [
      'blobs in the shared store',
      () => {
        cachedModel()
        for (const blob of [G, B1, B2])
          moveAndLink(`${BLOBS}/${blob}`, `hub/blobs/${blob.slice(0, 2)}/${blob}`)
      },
    ],
    [
      '`blobs` a link to another disk',
      () => {
        cachedModel()
        moveAndLink(BLOBS, 'disk/blobs')
      },
    ],
    [
      "single blobs linked one by one into a store of one's own",
      () => {
        cachedModel()
        moveAndLink(`${BLOBS}/${B1}`, 'disk/weights/first')
      },
    ],
    [
      'every blob linked into another store',
      () => {
        cachedModel()
        for (const [i, blob] of [G, B1, B2].entries()) moveAndLink(`${BLOBS}/${blob}`, `disk${i}/${blob}`)
      },
    ],
    [
      'a blob linked by two steps, `blobs` a link too',
      () => {
        cachedModel()
        moveAndLink(`${BLOBS}/${B2}`, 'disk/second')
        moveAndLink('disk/second', 'farm/third')
        moveAndLink(BLOBS, 'disk/blobs')
      },
    ],
    [
      '`snapshots` a link, with absolute links in it',
      () => {
        cachedModel((_, blob) => join(root, BLOBS, blob))
        moveAndLink(dirname(SNAPSHOT), 'disk/snapshots')
      },
    ],
    [
      '`snapshots` and `blobs` links to one disk',
      () => {
        cachedModel()
        moveAndLink(dirname(SNAPSHOT), 'disk/snapshots')
        moveAndLink(BLOBS, 'disk/blobs')
      },
    ],
    [
      '`snapshots` a link, the files in it no links',
      () => {
        plainModel(`${SNAPSHOT}/onnx`)
        moveAndLink(dirname(SNAPSHOT), 'disk/snapshots')
      },
    ],
    [
      'the snapshot a link',
      () => {
        plainModel(`${SNAPSHOT}/onnx`)
        moveAndLink(SNAPSHOT, 'disk/snapshot')
      },
    ],
    [
      '`onnx` a link',
      () => {
        plainModel(`${SNAPSHOT}/onnx`)
        moveAndLink(`${SNAPSHOT}/onnx`, 'disk/onnx')
      },
    ],
    [
      'the folder of the model a link',
      () => {
        cachedModel()
        moveAndLink('hub/models--org--name', 'disk/name')
      },
    ],
    [
      'the hub folder a link',
      () => {
        cachedModel()
        moveAndLink('hub', 'disk/hub')
      },
    ],
  ]
  test.each(loaded)('loaded: %s', async (_, make) => {
    make()
    await expectLoads(graph)
  })

  test.each([`${SNAPSHOT}/onnx/w.data`, graph])('refused: a pointer past the blobs: %s', (pointer) => {
    cachedModel()
    plainModel('store')
    move(pointer, 'was')
    link(pointer, join(root, 'store', pointer.endsWith('w.data') ? 'w.data' : 'model.onnx'))
    expectRefused(graph, /: a link that leads outside the model's folder$/)
  })

  test('refused: a pointer that comes back to the blobs from outside and leaves them again by no blob', () => {
    cachedModel()
    move(`${SNAPSHOT}/onnx/w.data`, 'was')
    file('home/.ssh/id', W)
    link(`${SNAPSHOT}/onnx/w.data`, `../../../blobs/../../../home/.ssh/id`)
    expectRefused(graph, /^w\.data: a link that leads outside/)
  })

  describe.skipIf(process.getuid?.() !== 0)('that others can write to: links of theirs', () => {
    const STRANGER = 4242
    const planted: readonly [string, string, string][] = [
      ['a blob', `${BLOBS}/${B1}`, 'home/.ssh/id'],
      ['`blobs`', BLOBS, 'home/.ssh'],
      ['`onnx`', `${SNAPSHOT}/onnx`, 'home/.ssh'],
      ['`snapshots`', dirname(SNAPSHOT), 'home/.ssh'],
    ]
    test.each(planted)('%s is not followed out of the cache', (_, from, to) => {
      if (from === BLOBS || from.includes(B1)) cachedModel()
      else plainModel(`${SNAPSHOT}/onnx`)
      moveAndLink(from, to)
      lchownSync(join(root, from), STRANGER, STRANGER)
      expectRefused(graph, /: a link that leads outside the model's folder$/)
      chownSync(join(root, 'hub'), STRANGER, STRANGER)
      expect(check(graph)).toBe(GRAPH.length + 8000)
    })
  })
})
