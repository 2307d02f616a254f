/** Damaged prepared models and tokenizers: the answers are those of the model itself. */
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { preparedRoot } from '../../../dist/backend/onnx/prepared/prepared-model.js'
import { loadModelConfig } from '../../../dist/model/model-config.js'
import { prepareModel } from '../../../dist/open/prepare-model.js'
import { loadPreparedTokenizer } from '../../../dist/tokenizer/load-prepared.js'
import { mutateBytes } from '../mutate.mjs'
import { difference, ourRows } from '../ours.mjs'

const MODEL = fileURLToPath(new URL('../../../fixtures/models/spout-tiny/', import.meta.url))
const RUNS = [[3, 1, 4, 1, 5], [9], [2, 6]]
const TEXT = 'Once upon a time, there was 1 dog.'

export async function open(folders) {
  const cacheFolder = process.env.SPOUT_CACHE_DIR
  const model = join(folders.make(), 'model')
  cpSync(MODEL, model, { recursive: true })
  const config = loadModelConfig(model)
  const path = join(model, 'onnx/model_q4.onnx')
  const expected = await ourRows(path, config, { runs: RUNS })
  const plain = await loadPreparedTokenizer(model, { cacheFolder })
  plain.prepare?.()
  const ids = [...plain.tokenizer.encode(TEXT)]
  await prepareModel({ model, dtype: 'q4', offline: true, threads: 1 })
  const places = () => [preparedRoot(cacheFolder), join(cacheFolder, 'tokenizers')].flatMap(filesBelow)
  const sound = join(folders.make(), 'sound')
  cpSync(cacheFolder, sound, { recursive: true, preserveTimestamps: true })
  return async ({ random }) => {
    const files = places()
    const damaged = files.map((file) => [file, readFileSync(file)])
    const [file, bytes] = random.pick(
      random.chance(0.5) ? damaged.filter(([name]) => name.endsWith('.json')) : damaged,
    )
    try {
      if (random.chance(0.1)) rmSync(file)
      else writeFileSync(file, mutateBytes(bytes, random))
      const rows = await ourRows(path, config, { runs: RUNS, usePrepared: true, cacheFolder })
      const { tokenizer } = await loadPreparedTokenizer(model, { cacheFolder })
      const others = [...tokenizer.encode(TEXT)]
      if (others.join() !== ids.join()) return { wrong: `other ids after ${file}` }
      const apart = difference(rows, expected, 0)
      return { wrong: apart && `${file}: ${apart}` }
    } finally {
      writeFileSync(file, bytes)
    }
  }
}

function filesBelow(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
}
