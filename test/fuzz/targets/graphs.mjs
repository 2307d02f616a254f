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
const EMBEDDED = join(FIXTURES, 'models/spout-tiny')

export async function open(folders) {
  const names = [...familyNames(), ...EMBEDDED_GRAPHS]
  const known = new Map()
  return async (given) => {
    for (let at = given.index; ; at++) {
      const name = names[at % names.length]
      if (!known.has(name)) known.set(name, await judged(readModel(name, folders), folders))
      if (known.get(name) !== undefined) return tryOne(known.get(name), given)
    }
  }
}

/** The model, if the plain loop here feeds it as it wants to be fed: what it cannot feed, it cannot judge. */
async function judged(model, folders) {
  const path = join(folders.make(), 'model.onnx')
  writeFileSync(path, model.bytes)
  const ours = await ourRows(path, model.config, { runs: RUNS, precise: true })
  const plain = await plainRows(path, model.config, RUNS).catch(() => [])
  return plain.length === RUNS.length && difference(ours, plain) === undefined ? model : undefined
}

async function tryOne({ name, bytes, config }, { random, folder, stage }) {
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
  if (plain instanceof Error) {
    return { wrong: `${name}: an answer where plain ONNX Runtime has: ${plain.message.slice(0, 300)}` }
  }
  const apart = difference(ours, plain)
  return { wrong: apart && `${name}: ${apart}`, detail: name }
}

const FAMILIES = join(FIXTURES, 'golden/families')
const EMBEDDED_GRAPHS = ['model', 'model_q4']

function familyNames() {
  return readdirSync(FAMILIES)
    .filter((file) => file.endsWith('.json'))
    .map((file) => file.replace('.json', ''))
}

function readModel(name, folders) {
  if (EMBEDDED_GRAPHS.includes(name))
    return {
      name,
      bytes: readFileSync(join(EMBEDDED, `onnx/${name}.onnx`)),
      config: loadModelConfig(EMBEDDED),
    }
  const { config } = JSON.parse(readFileSync(join(FAMILIES, `${name}.json`), 'utf8'))
  const folder = folders.make()
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config))
  const bytes = gunzipSync(readFileSync(join(FAMILIES, `${name}.onnx.gz`)))
  return { name, bytes, config: loadModelConfig(folder) }
}
