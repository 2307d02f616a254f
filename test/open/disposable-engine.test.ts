import { spawnSync } from 'node:child_process'
import { pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import { makeRequest } from '../../src/engine/request.ts'
import { disposableEngine } from '../../src/open/disposable-engine.ts'
import { openEngine } from '../../src/open/open-engine.ts'

const REQUEST = makeRequest({ prompt: 'Once', maxTokens: 1 })
const SINK = { token: () => undefined, lastPiece: () => undefined }

test('an engine and a conversation end with the block that they are declared in', async () => {
  let after: { engine: Awaited<ReturnType<typeof openEngine>>; conversation: object } | undefined
  {
    await using engine = await openEngine({ threads: 1, offline: true })
    using conversation = engine.openConversation()
    expect((await conversation.generate(REQUEST, { sink: SINK })).tokenIds).toHaveLength(1)
    after = { engine, conversation }
  }
  await expect(after.engine.generate(REQUEST, { sink: SINK })).rejects.toMatchObject({ code: 'usage' })
})

test('where the runtime has no such symbols, nothing is added', () => {
  const place = pathToFileURL(new URL('../../dist/open/disposable-engine.js', import.meta.url).pathname).href
  const program = `
    const old = (text) => real(text)
    const real = Symbol
    const names = Object.getOwnPropertyNames(real).filter((name) => !/ispose$|^(name|length)$/.test(name))
    for (const name of names) old[name] = real[name]
    globalThis.Symbol = old
    const { disposableEngine } = await import('${place}')
    let ended = 0
    const conversation = { dispose: () => ended++ }
    const engine = disposableEngine({ openConversation: () => conversation, dispose: async () => ended++ })
    engine.openConversation().dispose()
    await engine.dispose()
    console.log(ended, Reflect.ownKeys(engine).join(), Reflect.ownKeys(conversation).join())`
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' })
  expect(stdout).toBe(
    '2 model,promises,sharesRuns,work,generate,sample,choose,score,openConversation,dispose dispose\n',
  )
  expect(Reflect.ownKeys(disposableEngine({} as never))).toContain(Symbol.asyncDispose)
})
