/** Damaged tokenizer.json: refused, or texts become ids and ids become texts. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { loadTokenizer } from '../../../dist/tokenizer/load-tokenizer.js'
import { mutateBytes, mutateJson } from '../mutate.mjs'

const FIXTURES = fileURLToPath(new URL('../../../fixtures/', import.meta.url))
const TEXTS = [
  '',
  'Hello world',
  ' a\n\nb  c',
  'é\u0301 日本 😀',
  '<|end|> [INST]',
  'x'.repeat(2000),
  '12 345,6\t\u0000',
]

export async function open() {
  const golden = join(FIXTURES, 'golden/tokenizers')
  const paths = [
    ...readdirSync(golden).map((name) => join(golden, name, 'tokenizer.json')),
    join(FIXTURES, 'models/tiny-chat/tokenizer.json'),
  ]
  const files = paths.map((path) => ({
    bytes: readFileSync(path),
    json: JSON.parse(readFileSync(path, 'utf8')),
  }))
  return async ({ random, folder }) => {
    const { bytes, json } = random.pick(files)
    const changed = random.chance(0.8) ? JSON.stringify(mutateJson(json, random)) : mutateBytes(bytes, random)
    writeFileSync(join(folder, 'tokenizer.json'), changed)
    const tokenizer = await loadTokenizer(folder)
    for (const text of TEXTS) {
      const ids = tokenizer.encode(text)
      const again = tokenizer.encode(text)
      if (!ids.every((id, i) => id === again[i])) return { wrong: `two encodings of ${JSON.stringify(text)}` }
      if (ids.some((id) => id < 0 || id >= tokenizer.vocabSize))
        return { wrong: 'an id beyond the vocabulary' }
      tokenizer.decode(ids)
    }
    return {}
  }
}
