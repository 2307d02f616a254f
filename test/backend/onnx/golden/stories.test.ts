/** The one trained model among the golden ones: its files tell stories, the quantized as well as the others. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { loadTokenizer } from '../../../../src/tokenizer/load-tokenizer.ts'
import { goldenFiles } from '../../../support/golden-models.ts'
import { continueGreedily, feed } from '../../../support/greedy.ts'
import { openModel } from '../../../support/open-onnx.ts'

const files = goldenFiles().filter(({ family }) => family === 'stories260K')
const QUANTIZED = /q4|quantized|kvint/

interface Story {
  readonly name: string
  readonly ids: number[]
  readonly hf_text: string
}

describe.skipIf(files.length === 0)('stories (needs ../shared/data)', () => {
  test.each(files)('$file', async ({ path, folder, file }) => {
    const goldens = JSON.parse(readFileSync(join(folder, '../goldens.json'), 'utf8')) as { prompts: Story[] }
    const [story] = goldens.prompts as [Story]
    const tokenizer = await loadTokenizer(folder)
    const { backend } = await openModel(path, { config: folder })
    const cache = backend.createCache()
    const logits = await feed(backend, cache, Int32Array.from(story.ids))
    const ids = await continueGreedily(backend, cache, { logits, count: 64 })
    const text = tokenizer.decode(Int32Array.from(ids))
    if (!QUANTIZED.test(file)) expect(text.trim()).toBe(story.hf_text.trim())
    const words = text.toLowerCase().match(/[a-z']+/g) ?? []
    expect(words.length).toBeGreaterThan(20)
    expect(words.filter((word) => COMMON.has(word)).length / words.length, text).toBeGreaterThan(0.4)
    await backend.dispose()
  })
})

/** Words that make up half of any children's story. */
const COMMON = new Set(
  `a all and at ball be big box but day for from good had happy have he her him his i in is it like liked likes little
  of on one other red said saw see she so some that the their them then there they time to toys very wanted was went
  what when with you`.split(/\s+/),
)
