import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { resolveModel } from '../../src/hub-cache/resolve-model.ts'
import { checkModelFiles } from '../../src/model/check-model-files.ts'
import { CPU_ORDER, chooseGraph, DTYPE_SUFFIX, dtypeOfFileName, rankGraphs } from '../../src/model/dtype.ts'
import { findGraphs, graphsBelow } from '../../src/model/graph-files.ts'
import { loadModelConfig } from '../../src/model/model-config.ts'
import { DTYPES, type Dtype } from '../../src/model/resolved-model.ts'
import { temporaryFolder } from '../support/model-repo.ts'
import { onnxBytes } from '../support/tiny-onnx.ts'

describe('the dtype of a file', () => {
  it.each(DTYPES.flatMap((dtype) => ['model', 'decoder_model_merged'].map((stem) => [stem, dtype] as const)))(
    'is told by its name: %s, %s',
    (stem, dtype) => {
      expect(dtypeOfFileName(`${stem}${DTYPE_SUFFIX[dtype]}.onnx`)).toBe(dtype)
    },
  )

  it.each([
    'decoder_model.onnx',
    'model_q4.onnx_data',
    'model_q2.onnx',
    'encoder_model.onnx',
    'my_model.onnx',
    'model',
  ])('is not told by %s', (name) => {
    expect(dtypeOfFileName(name)).toBeUndefined()
  })

  it('auto knows all, 4 bits first, halves last', () => {
    expect([...CPU_ORDER].sort()).toEqual([...DTYPES].sort())
    expect([CPU_ORDER[0], CPU_ORDER.at(-1)]).toEqual(['q4', 'fp16'])
  })

  it('auto takes what is there: never a dtype that comes later in the order than another present', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray([...DTYPES], { minLength: 1 }), (present: Dtype[]) => {
        const graphs = findGraphs(present.map((dtype) => `onnx/model${DTYPE_SUFFIX[dtype]}.onnx`))
        const best = chooseGraph(graphs, 'auto', 'm').dtype
        expect(CPU_ORDER.indexOf(best)).toBe(Math.min(...present.map((dtype) => CPU_ORDER.indexOf(dtype))))
        for (const dtype of DTYPES) {
          if (present.includes(dtype)) expect(chooseGraph(graphs, dtype, 'm').dtype).toBe(dtype)
          else expect(() => chooseGraph(graphs, dtype, 'm')).toThrow(/no file of dtype/)
        }
      }),
    )
  })

  it('says what a model without a graph lacks', () => {
    expect(() => chooseGraph([], 'auto', 'org/name')).toThrow('org/name: no ONNX graph of a text model')
  })
})

describe('the graphs of a repository', () => {
  const paths = (files: string[]) => rankGraphs(findGraphs(files), 'auto').map((graph) => graph.path)

  it('are those in onnx/ before those at the root, model before decoder_model_merged', () => {
    expect(
      paths([
        'model.onnx',
        'onnx/decoder_model_merged.onnx',
        'onnx/model.onnx',
        'onnx/decoder_model.onnx',
        'onnx/sub/model.onnx',
        'model_q4.onnx',
      ]),
    ).toEqual(['model_q4.onnx', 'onnx/model.onnx', 'onnx/decoder_model_merged.onnx', 'model.onnx'])
  })

  it('are those of genai folders for the CPU, where there are such', () => {
    const folder = (name: string) => [
      `${name}/genai_config.json`,
      `${name}/model.onnx`,
      `${name}/tokenizer.json`,
    ]
    const cpu = folder('cpu_and_mobile/cpu-int4-rtn-block-32-acc-level-4')
    const gpu = folder('gpu/gpu-int4-rtn-block-32')
    expect(findGraphs([...cpu, ...gpu])).toEqual([
      { path: cpu[1], dtype: 'q4', base: 'cpu_and_mobile/cpu-int4-rtn-block-32-acc-level-4' },
    ])
    expect(findGraphs(gpu)).toEqual([{ path: gpu[1], dtype: 'q4f16', base: 'gpu/gpu-int4-rtn-block-32' }])
    expect(findGraphs(folder('cpu-fp32'))).toMatchObject([{ dtype: 'fp32' }])
  })

  it('of a genai folder on this disk are looked into when their name says nothing', () => {
    const folder = temporaryFolder()
    writeFileSync(join(folder, 'genai_config.json'), '{"model":{"decoder":{"filename":"model.onnx"}}}')
    writeFileSync(join(folder, 'model.onnx'), onnxBytes({ operator: 'MatMulNBits' }))
    expect(graphsBelow(folder)).toEqual([{ path: 'model.onnx', dtype: 'q4', base: '' }])
    writeFileSync(join(folder, 'model.onnx'), onnxBytes())
    expect(graphsBelow(folder)).toEqual([{ path: 'model.onnx', dtype: 'fp32', base: '' }])
    mkdirSync(join(folder, 'x'))
  })
})

const shared = join(dirname(fileURLToPath(import.meta.url)), '../../../shared/data/models')
const families = statSync(shared, { throwIfNoEntry: false })?.isDirectory() ? readdirSync(shared) : []
const folders = families
  .filter((name) => !name.endsWith('.md'))
  .flatMap((name) => readdirSync(join(shared, name), { withFileTypes: true }).filter((e) => e.isDirectory()))
  .map((entry) => join(entry.parentPath, entry.name))
  .filter((folder) => readdirSync(folder).includes('onnx'))

describe.skipIf(folders.length === 0)('real models (needs ../shared/data)', () => {
  it.each(folders.map((folder) => [folder.slice(shared.length + 1), folder]))(
    '%s is read and found whole',
    async (_, folder) => {
      const graphs = readdirSync(join(folder, 'onnx')).filter((name) => name.endsWith('.onnx'))
      for (const name of graphs)
        expect(checkModelFiles({ folder, onnxPath: join(folder, 'onnx', name) })).toBeGreaterThan(1e5)
      expect(loadModelConfig(folder).eosTokenIds.length).toBeGreaterThan(0)
      if (graphsBelow(folder).length > 0) expect((await resolveModel({ model: folder })).folder).toBe(folder)
    },
  )
})
