/** Choices by the first token of an answer, as far as a server tells of it. */
import { afterAll, describe, expect, test } from 'vitest'
import { makeRequest } from '../../src/engine/request.ts'
import { beginnings } from '../../src/remote/first-token.ts'
import { openRemote } from '../../src/remote/open-remote.ts'
import { startServer } from '../support/api-server.ts'
import { answering, beginEvents, chunk, scriptedServer, streamText } from '../support/scripted-server.ts'

const top = (...tokens: (readonly [string, number])[]) =>
  tokens.map(([token, p]) => ({ token, logprob: Math.log(p) }))

describe('what begins a choice', () => {
  test('all tokens that do count together; a space before them does not', () => {
    const found = beginnings(top([' yes', 0.5], ['y', 0.1], ['No', 0.2], ['N', 0.05], ['x', 0.01]), [
      'yes',
      'No',
    ])
    expect(found.map(Math.exp)).toEqual([expect.closeTo(0.6), expect.closeTo(0.25)])
  })

  test('what is not among them is as likely as the last at most', () => {
    expect(beginnings(top(['yes', 0.5], ['x', 0.01]), ['yes', 'no']).map(Math.exp)).toEqual([
      expect.closeTo(0.5),
      expect.closeTo(0.01),
    ])
  })

  test('what is not among them has no more than what was not told of', () => {
    expect(beginnings(top(['yes', 0.9], ['x', 0.08]), ['yes', 'no']).map(Math.exp)).toEqual([
      expect.closeTo(0.9),
      expect.closeTo(0.02),
    ])
    // Rounded, they are more than all.
    expect(Math.exp(beginnings(top(['yes', 0.9], ['x', 0.101]), ['yes', 'no'])[1]!)).toBeCloseTo(1e-6, 9)
  })

  test('none at all, and two that begin alike, are errors', () => {
    expect(() => beginnings(top(['x', 0.5], [' ', 0.1]), ['yes', 'no'])).toThrow(
      'none is begun by one of the 2',
    )
    expect(() => beginnings(top(['no', 0.5]), ['no', 'not sure'])).toThrow(
      '"no" and "not sure" begin with "no"',
    )
  })
})

const scripted = await scriptedServer((response, { body }) => {
  const text: string = body.messages?.at(-1).content ?? body.prompt
  const p = text === 'Is it?' ? 0.5 : 0.8
  const rated = top(['yes', p], [' no', 0.1], ['maybe', 0.01])
  beginEvents(response)
  const logprobs = { content: [{ token: 'yes', logprob: 0, top_logprobs: rated }] }
  response.end(streamText([chunk('yes', { finish: 'length', choice: { logprobs } }), '[DONE]']))
})
const mute = await scriptedServer(answering)
const real = await startServer()
afterAll(async () => {
  await Promise.all([scripted.close(), mute.close(), real.server.close()])
})

const open = (url: string) =>
  openRemote({
    ...{ servers: [`${url}/v1`], model: undefined, key: undefined, env: {}, parallel: 2, whole: true },
    note: () => undefined,
  })

test('one token is asked for, and the prior is that of the question without its input', async () => {
  const engine = await open(scripted.url)
  const asked = { request: makeRequest({ prompt: 'A. Is it?' }), empty: makeRequest({ prompt: 'Is it?' }) }
  const { choices, isChat } = await engine.choose({ ...asked, choices: ['yes', 'no'] })
  await engine.dispose()
  expect(choices.map(({ logprob, prior }) => [Math.exp(logprob), Math.exp(prior!)])).toEqual([
    [expect.closeTo(0.8), expect.closeTo(0.5)],
    [expect.closeTo(0.1), expect.closeTo(0.1)],
  ])
  expect(isChat).toBe(true)
  expect(scripted.calls[0]!.body).toMatchObject({ max_tokens: 1, logprobs: true, top_logprobs: 20 })
})

test('spout serve tells enough; one that tells nothing is refused before it is asked', async () => {
  const engine = await open(real.url)
  await engine.checkLogprobs()
  const request = makeRequest({ prompt: 'Once upon a time', raw: true })
  const { choices } = await engine.choose({ request, choices: [',', '.'], wholeAnswer: false })
  await engine.dispose()
  expect(choices.every(({ logprob }) => logprob < 0 && Number.isFinite(logprob))).toBe(true)
  const other = await open(mute.url)
  await expect(other.checkLogprobs()).rejects.toMatchObject({
    code: 'usage',
    message: 'engine: the server gives no log-probabilities, and they are needed',
  })
  await other.dispose()
})
