/** Graphs of many families, damaged as bytes or as messages: refused, or what plain ONNX Runtime computes of the same bytes. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { loadModelConfig } from '../../../dist/model/model-config.js'
import { mutateBytes, mutateModel } from '../mutate.mjs'
import { difference, ourRows } from '../ours.mjs'
import { plainRows } from '../plain.mjs'

const FIXTURES = fileURLToPath(new URL('../../../fixtures/', import.meta.url))
const RUNS = [[3, 1, 4, 1, 5], [9], [2, 6], [5]]
/** No family: the embedded model, in both dtypes. */
const EMBEDDED = join(FIXTURES, 'models/spout-tiny')

export async function open(folders) {
  const models = []
  for (const model of [...families(folders), ...embedded()]) {
    const path = join(folders.make(), 'model.onnx')
    writeFileSync(path, model.bytes)
    const [ours, plain] = [ourRows, plainRows].map(async (rowsOf) =>
      rowsOf === ourRows
        ? ourRows(path, model.config, { runs: RUNS, precise: true })
        : plainRows(path, model.config, RUNS),
    )
    const [a, b] = await Promise.allSettled([ours, plain])
    // What the plain loop here cannot feed, it cannot judge.
    if (a.status === 'fulfilled' && b.status === 'fulfilled' && difference(a.value, b.value) === undefined)
      models.push(model)
  }
  if (models.length < 8) throw new Error(`only ${models.length} graphs can be judged`)
  return (given) => tryOne(models, given)
}

async function tryOne(models, { random, folder, index, stage }) {
  const { name, bytes, config } = models[index % models.length]
  const path = join(folder, 'model.onnx')
  const changed = random.chance(0.75) ? mutateModel(bytes, random) : mutateBytes(bytes, random)
  writeFileSync(path, changed)
  stage(`ours ${name}`)
  // As it is run unless told otherwise, with kernels of ours: it need not be the same to the last bit, but must not crash.
  await ourRows(path, config, { runs: RUNS }).catch((error) => {
    if (error?.name !== 'SpoutError') throw error
  })
  const ours = await ourRows(path, config, { runs: RUNS, precise: true })
  stage(`plain ${name}`)
  const plain = await plainRows(path, config, RUNS).catch((error) => error)
  if (plain instanceof Error)
    return { wrong: `${name}: an answer where plain ONNX Runtime has: ${plain.message.slice(0, 200)}` }
  const apart = difference(ours, plain)
  return { wrong: apart && `${name}: ${apart}`, detail: name }
}

function families(folders) {
  const folder = join(FIXTURES, 'golden/families')
  return readdirSync(folder)
    .filter((file) => file.endsWith('.json'))
    .map((file) => {
      const name = file.replace('.json', '')
      const { config } = JSON.parse(readFileSync(join(folder, file), 'utf8'))
      const own = folders.make()
      writeFileSync(join(own, 'config.json'), JSON.stringify(config))
      return {
        name,
        bytes: gunzipSync(readFileSync(join(folder, `${name}.onnx.gz`))),
        config: loadModelConfig(own),
      }
    })
}

function embedded() {
  return ['model', 'model_q4'].map((name) => ({
    name,
    bytes: readFileSync(join(EMBEDDED, `onnx/${name}.onnx`)),
    config: loadModelConfig(EMBEDDED),
  }))
}
