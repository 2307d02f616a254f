import { expect, test } from 'vitest'
import { complete, type Engine, openEngine, SpoutError, stream } from '../../src/index.ts'

const PROMPT = 'Once upon a time'
const OPTIONS = { maxTokens: 20, sampling: { seed: 6n } }

async function withEngine<T>(use: (engine: Engine) => Promise<T>): Promise<T> {
  const engine = await openEngine({ prepare: false, threads: 1 })
  try {
    return await use(engine)
  } finally {
    await engine.dispose()
  }
}

test('a whole answer and its pieces are the same, with an engine of one’s own or of the call', async () => {
  const alone = await complete(PROMPT, { ...OPTIONS, prepare: false, threads: 1 })
  expect(alone).toMatchObject({ finishReason: 'length', reasoning: '', seed: 6n })
  expect(alone.tokenIds).toHaveLength(20)
  await withEngine(async (engine) => {
    const pieces: string[] = []
    for await (const piece of stream(PROMPT, { ...OPTIONS, engine })) pieces.push(piece)
    expect(pieces.join('')).toBe(alone.text)
    expect(pieces.length).toBeGreaterThan(5)
    expect((await complete(PROMPT, { ...OPTIONS, engine })).text).toBe(alone.text)
  })
})

test('leaving the loop ends the computing, and the engine goes on', async () => {
  await withEngine(async (engine) => {
    let left = ''
    for await (const piece of stream(PROMPT, { ...OPTIONS, maxTokens: 0, ignoreEos: true, engine })) {
      left += piece
      if (left.length > 10) break
    }
    const { text } = await complete(PROMPT, { ...OPTIONS, engine })
    expect(text.startsWith(left.slice(0, 10))).toBe(true)
  })
})

test('a reader who is slow is waited for: no more than a piece ahead', async () => {
  await withEngine(async (engine) => {
    const reading = stream(PROMPT, { ...OPTIONS, engine })
    const first = await reading.next()
    await new Promise((resolve) => setTimeout(resolve, 50))
    const rest: string[] = []
    let end = await reading.next()
    for (; !end.done; end = await reading.next()) rest.push(end.value)
    expect(end.value).toMatchObject({ finishReason: 'length' })
    expect([first.value, ...rest].join('')).toBe((await complete(PROMPT, { ...OPTIONS, engine })).text)
  })
})

test('an abort ends the answer with the text so far; one before it, at once', async () => {
  await withEngine(async (engine) => {
    const aborting = new AbortController()
    const pieces: string[] = []
    const endless = { ...OPTIONS, maxTokens: 0, ignoreEos: true, engine, signal: aborting.signal }
    const reading = stream(PROMPT, endless)
    let end = await reading.next()
    for (; !end.done; end = await reading.next()) {
      pieces.push(end.value)
      if (pieces.length === 3) aborting.abort()
    }
    expect(end.value).toMatchObject({ finishReason: 'aborted' })
    await expect(stream(PROMPT, endless).next()).rejects.toThrow(/abort/i)
  })
})

test('what is wrong with a request is said by both, and nothing stays open', async () => {
  await withEngine(async (engine) => {
    await expect(complete(' ', { engine })).rejects.toBeInstanceOf(SpoutError)
    await expect(stream(PROMPT, { engine, maxTokens: -1 }).next()).rejects.toMatchObject({ code: 'usage' })
    expect((await complete(PROMPT, { ...OPTIONS, engine })).tokenIds).toHaveLength(20)
  })
})
