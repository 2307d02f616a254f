import { execFileSync } from 'node:child_process'
import {
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { resolveModel } from '../../src/hub-cache/resolve-model.ts'
import { checkModelFiles, factsOf } from '../../src/model/check-model-files.ts'
import { temporaryFolder } from '../support/model-repo.ts'
import { type GraphSpec, onnxBytes } from '../support/tiny-onnx.ts'

const SECRET = 'the secret of another file'

let folder: string
let onnxPath: string
beforeEach(() => {
  folder = join(temporaryFolder(), 'model')
  onnxPath = join(folder, 'onnx/model.onnx')
  write('config.json', '{}')
  write('tokenizer.json', '{}')
  write('onnx/model.onnx', onnxBytes({ external: [{ location: 'model.onnx_data', offset: 0, length: 100 }] }))
  write('onnx/model.onnx_data', Buffer.alloc(100))
  write('../secret', SECRET)
})

function write(name: string, content: string | Buffer): void {
  mkdirSync(dirname(join(folder, name)), { recursive: true })
  writeFileSync(join(folder, name), content)
}

function graph(spec: GraphSpec): void {
  write('onnx/model.onnx', onnxBytes(spec))
}

const check = (options = {}) => checkModelFiles({ folder, onnxPath }, options)

/** That the check fails as `config`, names the file, says what to do, and shows nothing of other files. */
function expectBroken(name: string, detail: RegExp, act: () => unknown = check): void {
  try {
    act()
  } catch (error) {
    const { code, message, hint } = error as { code: string; message: string; hint: string }
    expect({ code, message }).toEqual({ code: 'config', message: expect.stringMatching(detail) })
    expect(message.startsWith(`${name}: `)).toBe(true)
    expect(hint).toMatch(/./)
    expect(message).not.toContain('secret of')
    return
  }
  throw new Error('the check passed')
}

const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${'0'.repeat(64)}\nsize 1234\n`
const page = '\n<!DOCTYPE html>\n<html><body>Sign in</body></html>'

describe('checkModelFiles', () => {
  it('accepts a whole model and tells its bytes', () => {
    expect(check()).toBe(readFileSync(onnxPath).length + 100)
  })

  it.each([
    ['empty', '', /empty/],
    ['an LFS pointer', pointer, /a Git LFS pointer of \d+ bytes/],
    ['a web page', page, /a web page of \d+ bytes/],
    ['something else', 'this is no protobuf at all', /cut off or not an ONNX graph \(26 bytes\)/],
  ])('M1: %s in the place of a file', (_, content, detail) => {
    write('onnx/model.onnx', content)
    expectBroken('model.onnx', detail)
  })

  it.each(['tokenizer.json', 'config.json'])('M1: %s that is a pointer, a page or empty', (name) => {
    for (const content of [pointer, page, '']) {
      write(name, content)
      expectBroken(name, /pointer|page|empty/)
    }
  })

  it('M1: a graph cut off anywhere', () => {
    const whole = onnxBytes({ external: [{ location: 'model.onnx_data' }], inside: 1000 })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: whole.length - 1 }), (length) => {
        write('onnx/model.onnx', whole.subarray(0, length))
        // Between two whole fields a file cannot be told from a shorter one, unless its graph is lost.
        const opset = whole.length - length === 4
        if (!opset) expectBroken('model.onnx', /cut off/)
      }),
    )
  })

  it('M1: bytes changed anywhere: accepted or refused as config, never another error', () => {
    const whole = onnxBytes({
      external: [{ location: 'model.onnx_data', offset: 0, length: 100 }],
      inside: 100,
    })
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: whole.length - 1 }),
        fc.integer({ min: 0, max: 255 }),
        (at, byte) => {
          const changed = Buffer.from(whole)
          changed[at] = byte
          write('onnx/model.onnx', changed)
          try {
            check()
          } catch (error) {
            expect(error).toMatchObject({ code: 'config' })
          }
        },
      ),
      { numRuns: 500 },
    )
  })

  it('M2: weights missing or short', () => {
    rmSync(join(folder, 'onnx/model.onnx_data'))
    expectBroken('model.onnx_data', /missing/)
    write('onnx/model.onnx_data', Buffer.alloc(99))
    expectBroken('model.onnx_data', /cut off: 99 bytes of at least 100/)
  })

  const places = ['initializer', 'sparse', 'attribute', 'subgraph', 'function', 'sparse-attribute'] as const

  it.each(places)('M2: weights outside the folder, named in a tensor of kind %s', (place) => {
    for (const location of [
      '../../secret',
      `${folder}/../secret`,
      'a/../../../secret',
      '..\\secret',
      '',
      'a\0b',
    ]) {
      graph({ place, external: [{ location }] })
      expectBroken('model.onnx', /its weights are said to lie in/)
    }
    graph({ place, external: [{ location: 'model.onnx_data' }] })
    check()
  })

  it('M2: a link that leads out, of the file or of a folder on the way', () => {
    symlinkSync('../../secret', join(folder, 'onnx/out'))
    graph({ external: [{ location: 'out' }] })
    expectBroken('out', /leads outside/)
    symlinkSync('../..', join(folder, 'onnx/up'))
    graph({ external: [{ location: 'up/secret' }] })
    expectBroken('secret', /leads outside/)
  })

  it('M2: a model whose files are all links into one other folder is fine', () => {
    const elsewhere = join(folder, '../elsewhere')
    renameSync(join(folder, 'onnx'), elsewhere)
    mkdirSync(join(folder, 'onnx'))
    for (const name of ['model.onnx', 'model.onnx_data'])
      symlinkSync(join(elsewhere, name), join(folder, 'onnx', name))
    check()
  })

  it('M2: a hard link inside the folder is a file of the folder', () => {
    linkSync(join(folder, 'onnx/model.onnx_data'), join(folder, 'onnx/same'))
    graph({ external: [{ location: 'same' }] })
    check()
  })

  it.each([
    [{ offset: -1 }, /"weight" has offset "-1", length none; expected a length of 100/],
    [{ length: -1 }, /"weight" has offset none, length "-1"; expected a length of 100/],
    [{ offset: 'x' }, /"weight" has offset "x"/],
    [{ offset: 2 ** 53, length: 2 ** 53 }, /"weight" has offset "9007199254740992"/],
    [{ offset: 0, length: 1e15 }, /cut off: 100 bytes of at least/],
    [{ offset: 50, length: 51 }, /cut off: 100 bytes of at least 101/],
    [{ offset: 101 }, /cut off/],
  ])('M2: a tensor at %j', (where, detail) => {
    graph({ external: [{ location: 'model.onnx_data', ...where }] })
    expectBroken(String(detail).includes('weight') ? 'model.onnx' : 'model.onnx_data', detail)
  })

  it('M7: a folder, a FIFO or a device is no model, and does not hang', () => {
    for (const make of [
      () => mkdirSync(onnxPath),
      () => execFileSync('mkfifo', [onnxPath]),
      () => symlinkSync('/dev/zero', onnxPath),
    ]) {
      rmSync(onnxPath, { recursive: true })
      make()
      expectBroken('model.onnx', /not a regular file/)
    }
    rmSync(join(folder, 'config.json'))
    execFileSync('mkfifo', [join(folder, 'config.json')])
    rmSync(onnxPath)
    graph({})
    expectBroken('config.json', /not a regular file/)
  })

  it('M7: weights larger than the memory: 71', () => {
    expect(() => check({ memory: 1000 })).not.toThrow()
    expect(() => check({ memory: 50 })).toThrow(
      expect.objectContaining({ code: 'os', message: expect.stringContaining('bytes of weights') }),
    )
  })

  it('is part of resolving a model', async () => {
    truncateSync(join(folder, 'onnx/model.onnx_data'), 10)
    await expect(resolveModel({ model: folder })).rejects.toMatchObject({ code: 'config' })
  })
})

describe('the facts of a graph', () => {
  it('are its inputs, its files of weights and whether these are narrow', () => {
    graph({ operator: 'MatMulNBits', external: [{ location: 'a', offset: 4096, length: 8 }] })
    expect(factsOf(onnxPath)).toEqual({
      externalTensors: [
        {
          name: 'weight',
          facts: { type: 2, dims: [8], scalar: undefined },
          reference: { location: 'a', offset: '4096', length: '8' },
        },
      ],
      inputs: [
        { name: 'input_ids', elementType: 7, dims: [undefined, undefined] },
        { name: 'past_key_values.0.key', elementType: 1, dims: [undefined, 2, undefined, 8] },
        { name: 'past_key_values.0.value', elementType: 1, dims: [undefined, 2, undefined, 8] },
      ],
      narrowWeights: true,
    })
  })

  it('are found behind megabytes of weights', () => {
    graph({ inside: 5_000_000, external: [{ location: 'a' }] })
    expect(factsOf(onnxPath).externalTensors).toHaveLength(1)
  })
})
