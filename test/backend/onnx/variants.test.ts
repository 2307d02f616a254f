/** The ways to run a model are tried in order, and only a fault of the model leads to the next. */
import { describe, expect, test } from 'vitest'
import { type LoadOptions, loadSession } from '../../../src/backend/onnx/load-session.ts'
import { openFirst, TraitError, type Traits, type Variant } from '../../../src/backend/onnx/variants.ts'
import { SpoutError } from '../../../src/errors.ts'
import { openCApiRuntime } from '../../../src/onnx-runtime/c-session.ts'
import type { GraphSource, Runtime } from '../../../src/onnx-runtime/runtime.ts'
import { attentionDecoder, VOCABULARY } from '../../support/attention-decoder.ts'
import { graphFile } from '../../support/graph-file.ts'
import { emptyConfig } from '../../support/open-onnx.ts'
import { toyDecoder } from '../../support/toy-decoder.ts'

const WAYS: readonly Traits[] = (['last row', 'all rows'] as const).flatMap((head) =>
  (['own', 'runtime'] as const).map((kernels) => ({
    device: 'cpu',
    graph: 'original' as const,
    kernels,
    head,
  })),
)
const nameOf = ({ kernels, head }: Traits): string => `${kernels}, ${head}`

/** Variants that fail as told by their names, and what was tried. */
function variantsThat(fail: Readonly<Record<string, unknown>>) {
  const tried: string[] = []
  const variants = WAYS.map((traits): Variant<string> => {
    const name = nameOf(traits)
    return {
      ...traits,
      async open() {
        tried.push(name)
        if (name in fail) throw fail[name]
        return name
      },
    }
  })
  return { variants, tried }
}

const wrong = (why: string): SpoutError => new SpoutError('config', why)

describe('openFirst', () => {
  test('takes the first that opens, and keeps why those before it did not', async () => {
    const { variants } = variantsThat({ 'own, last row': wrong('a'), 'runtime, last row': wrong('b') })
    const { opened, traits, refused } = await openFirst(variants)
    expect([opened, nameOf(traits)]).toEqual(['own, all rows', 'own, all rows'])
    expect(refused.map(({ traits, why }) => [nameOf(traits), why])).toEqual([
      ['own, last row', 'a'],
      ['runtime, last row', 'b'],
    ])
  })

  test('does not try what has the trait that was refused', async () => {
    const { variants, tried } = variantsThat({
      'own, last row': new TraitError('head', wrong('a')),
      'own, all rows': new TraitError('kernels', wrong('b')),
    })
    expect((await openFirst(variants)).opened).toBe('runtime, all rows')
    expect(tried).toEqual(['own, last row', 'own, all rows', 'runtime, all rows'])
  })

  test('fails with the last refusal when there is none left', async () => {
    const { variants } = variantsThat(
      Object.fromEntries(WAYS.map((way) => [nameOf(way), wrong(nameOf(way))])),
    )
    await expect(openFirst(variants)).rejects.toThrow('runtime, all rows')
  })

  test.each([
    ['no memory', new SpoutError('os', 'memory: none')],
    ['an abort', new DOMException('aborted', 'AbortError')],
    ['a bug', new TypeError('x is not a function')],
  ])('%s ends it at once', async (_, error) => {
    const { variants, tried } = variantsThat({ 'own, last row': error })
    await expect(openFirst(variants)).rejects.toBe(error)
    expect(tried).toEqual(['own, last row'])
  })
})

const config = { ...emptyConfig, headDim: 16 }
const options: LoadOptions = { threads: 1, spinning: false }

/** The C API, with sessions that fail as `failure` says of their graph. */
function failingRuntime(failure: (graph: GraphSource) => SpoutError | undefined) {
  const runtime = openCApiRuntime()
  const sessions: GraphSource[] = []
  const failing: Runtime = {
    name: runtime.name,
    noOwnKernels: runtime.noOwnKernels,
    version: () => runtime.version(),
    createSession(graph, settings) {
      sessions.push(graph)
      const error = failure(graph)
      return error === undefined ? runtime.createSession(graph, settings) : Promise.reject(error)
    },
  }
  return { failing, sessions }
}

describe('loadSession', () => {
  const path = graphFile(toyDecoder({ layers: ['gqa'] }))

  test('tells what runs', async () => {
    const loaded = await loadSession(openCApiRuntime(), path, config, { ...options, precise: true })
    expect(loaded.runs).toEqual({
      runtime: 'c-api',
      threads: 1,
      device: 'cpu',
      kernels: { matmul: 'onnxruntime', attention: 'onnxruntime', why: expect.stringContaining('exactly') },
      prepared: false,
      refused: [],
    })
    await loaded.dispose()
  })

  test('more memory than there is, is not asked for again', async () => {
    const memory = new SpoutError('os', 'memory: ONNX Runtime could not get enough')
    const { failing, sessions } = failingRuntime(() => memory)
    await expect(loadSession(failing, path, config, options)).rejects.toBe(memory)
    expect(sessions).toHaveLength(1)
  })

  test('a head that the runtime refuses is run as it is, and that is said', async () => {
    const { failing } = failingRuntime(({ bytes }) =>
      Buffer.from(bytes).includes('spout.last_rows')
        ? new SpoutError('failed', 'onnxruntime: no')
        : undefined,
    )
    const loaded = await loadSession(failing, path, config, { ...options, precise: true })
    expect(loaded.plan.keepInput).toBeUndefined()
    expect(loaded.runs.refused).toEqual([
      { way: "ONNX Runtime's kernels, last row", why: expect.stringMatching(/^model graph: .*: no$/) },
    ])
    await loaded.dispose()
  })

  test('a head whose logits have no axis of tokens is run as it is, and that is said', async () => {
    const runtime = openCApiRuntime()
    let disposed = 0
    const flat: Runtime = {
      ...runtime,
      noOwnKernels: 'for this test',
      async createSession(graph, settings) {
        const session = await runtime.createSession(graph, settings)
        if (!Buffer.from(graph.bytes).includes('spout.last_rows')) return session
        const outputs = session.outputs.map((info) =>
          info.name === 'logits' ? { ...info, dims: ['rows', 64] } : info,
        )
        return new Proxy(session, {
          get(target, name) {
            if (name === 'outputs') return outputs
            if (name === 'dispose') disposed++
            const value = Reflect.get(target, name)
            return typeof value === 'function' ? value.bind(target) : value
          },
        })
      },
    }
    const loaded = await loadSession(flat, path, config, { ...options, precise: true })
    expect(loaded.plan.keepInput).toBeUndefined()
    expect(loaded.runs.refused).toEqual([
      { way: "ONNX Runtime's kernels, last row", why: 'model graph: the logits have no axis of tokens' },
    ])
    expect(disposed).toBe(1)
    await loaded.dispose()
  })

  test.skipIf(openCApiRuntime().noOwnKernels !== undefined)(
    'kernels that the runtime refuses give way to its own (needs AVX2)',
    async () => {
      const decoder = graphFile(attentionDecoder('plain'))
      const known = { ...config, vocabSize: VOCABULARY, contextLength: 64, headDim: 32, kvHeads: 2 }
      const { failing } = failingRuntime(({ own }) =>
        own === undefined ? undefined : new SpoutError('failed', 'onnxruntime: unknown operator'),
      )
      const loaded = await loadSession(failing, decoder, known, options)
      const why = expect.stringContaining('unknown operator')
      expect(loaded.runs.kernels).toEqual({ matmul: 'onnxruntime', attention: 'onnxruntime', why })
      expect(loaded.runs.refused).toHaveLength(1)
      await loaded.dispose()
      const own = await loadSession(openCApiRuntime(), decoder, known, options)
      expect(own.runs.kernels).toMatchObject({ matmul: 'onnxruntime', attention: 'own' })
      await own.dispose()
    },
  )
})
