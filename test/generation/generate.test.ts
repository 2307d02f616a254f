import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type GenerateOptions, generate } from '../../src/generation/generate.ts'
import { createSampler } from '../../src/sampling/sampler.ts'
import { byteTokenizer } from '../support/byte-tokenizer.ts'
import { collectingSink } from '../support/collecting-sink.ts'
import { type ScriptedBackend, scriptedBackend } from '../support/scripted-backend.ts'

const PROMPT = byteTokenizer.encode('prompt')

function run(backend: ScriptedBackend, options: Partial<GenerateOptions> = {}) {
  const sink = collectingSink()
  const sampler = createSampler({ temperature: 0 }, backend)
  const cache = backend.createCache()
  const result = generate({ backend, cache, promptIds: PROMPT, sampler, sink, maxTokens: 0, ...options })
  return { sink, cache, result }
}

test('the answer is what the model says, and ends at EOS', async () => {
  const backend = scriptedBackend('Hello, wörld ✓')
  const { sink, result } = run(backend)
  expect(await result).toMatchObject({ finishReason: 'stop' })
  expect(sink.text).toBe('Hello, wörld ✓')
  expect((await result).tokenIds).toEqual([...byteTokenizer.encode('Hello, wörld ✓')])
})

test('the prompt goes in once and then one id at a time', async () => {
  const backend = scriptedBackend('abc')
  await run(backend).result
  expect(backend.calls).toEqual([[...PROMPT], [97], [98], [99]])
})

test('EOS at the first token: no output, reason stop', async () => {
  const { sink, result } = run(scriptedBackend(''))
  expect(await result).toMatchObject({ finishReason: 'stop', tokenIds: [] })
  expect(sink.pieces).toEqual([])
})

test('ignoreEos goes on past it', async () => {
  const { result } = run(scriptedBackend('a'), { ignoreEos: true, maxTokens: 3 })
  expect(await result).toMatchObject({ finishReason: 'length', tokenIds: [97, 256, 256] })
})

test('a special id is no text, unless it is to be kept', async () => {
  const script = [97, 256, 98]
  const hidden = run(scriptedBackend(script), { ignoreEos: true, maxTokens: 3 })
  await hidden.result
  expect(hidden.sink.text).toBe('ab')
  const kept = run(scriptedBackend(script), { ignoreEos: true, maxTokens: 3, keepIds: new Set([256]) })
  await kept.result
  expect(kept.sink.text).toBe('a<eos>b')
})

describe('length', () => {
  test('the budget ends it, and nothing is computed past it', async () => {
    const backend = scriptedBackend('abcdef')
    const { sink, result } = run(backend, { maxTokens: 3 })
    expect(await result).toMatchObject({ finishReason: 'length' })
    expect(sink.text).toBe('abc')
    expect(backend.calls).toHaveLength(3)
  })

  test('a full context ends it with all text kept', async () => {
    const { sink, result } = run(scriptedBackend('abcdef'), {})
    expect((await result).finishReason).toBe('stop')
    expect(sink.text).toBe('abcdef')
    const small = scriptedBackend('abcdef', { contextLength: PROMPT.length + 2 })
    const cut = run(small)
    expect((await cut.result).finishReason).toBe('context')
    expect(cut.sink.text).toBe('ab')
  })

  test('a character that the budget cuts is shown once as U+FFFD', async () => {
    const { sink, result } = run(scriptedBackend('é'), { maxTokens: 1 })
    await result
    expect(sink.text).toBe('\uFFFD')
  })
})

describe('prefill', () => {
  test('any chunk gives the same calls after it and the same text', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 9 }), async (prefillChunk) => {
        const backend = scriptedBackend('abc', { prefillChunk })
        const done: number[] = []
        const { sink, result } = run(backend, { onPrefill: (count) => done.push(count) })
        await result
        expect(sink.text).toBe('abc')
        expect(backend.calls.slice(0, -3).flat()).toEqual([...PROMPT])
        expect(backend.calls.slice(0, -3).every((call) => call.length <= prefillChunk)).toBe(true)
        expect(done.at(-1)).toBe(PROMPT.length)
      }),
    )
  })

  test('ids in the cache count for the context', async () => {
    const backend = scriptedBackend('abcdef', { contextLength: 20 })
    const cache = backend.createCache()
    ;(cache as { length: number }).length = 12
    const { result } = run(backend, { cache })
    expect((await result).tokenIds).toHaveLength(2)
  })
})

describe('stop strings', () => {
  test('the text ends before it, wherever pieces are cut', async () => {
    const { sink, result } = run(scriptedBackend('one STOP two'), { stopStrings: ['STOP'] })
    expect((await result).finishReason).toBe('stop-string')
    expect(sink.text).toBe('one ')
  })

  test('held-back text that is no stop string is delivered at the end', async () => {
    const { sink, result } = run(scriptedBackend('one STO'), { stopStrings: ['STOP'] })
    expect((await result).finishReason).toBe('stop')
    expect(sink.text).toBe('one STO')
  })

  test('for every text and stop string, the output is that of a search in the whole text', async () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'é', '✓'), maxLength: 12 })
    await fc.assert(
      fc.asyncProperty(
        letters,
        fc.array(
          letters.filter((s) => s !== ''),
          { maxLength: 3 },
        ),
        async (text, stops) => {
          const { sink, result } = run(scriptedBackend(text), { stopStrings: stops })
          const ends = stops
            .map((s) => text.indexOf(s) + s.length)
            .filter((end, i) => text.includes(stops[i]!) && end > 0)
          const end = Math.min(...ends)
          const matched = stops
            .filter((s) => text.slice(0, end).endsWith(s))
            .sort((a, b) => b.length - a.length)[0]
          const expected = matched === undefined ? text : text.slice(0, end - matched.length)
          expect((await result).finishReason).toBe(matched === undefined ? 'stop' : 'stop-string')
          expect(sink.text).toBe(expected)
        },
      ),
    )
  })
})

describe('endings that are not the model’s', () => {
  test('an abort delivers the text so far and is no error', async () => {
    const controller = new AbortController()
    const backend = scriptedBackend('abcdef', { onForward: (call) => call === 3 && controller.abort() })
    const { sink, result } = run(backend, { signal: controller.signal })
    expect((await result).finishReason).toBe('aborted')
    expect(sink.text).toBe('abc')
  })

  test('an abort during prefill ends before the first token', async () => {
    const controller = new AbortController()
    const backend = scriptedBackend('abc', {
      prefillChunk: 2,
      onForward: (call) => call === 1 && controller.abort(),
    })
    const { sink, result } = run(backend, { signal: controller.signal })
    expect((await result).finishReason).toBe('aborted')
    expect(sink.text).toBe('')
    expect(backend.calls).toHaveLength(1)
  })

  test('logits that are not finite fail naming the token, text so far kept', async () => {
    const fill = (row: Float32Array, step: number): void => {
      if (step < 2) row[97] = 1
      else row.fill(Number.NaN)
    }
    const { sink, result } = run(scriptedBackend('', { fill }))
    await expect(result).rejects.toMatchObject({ code: 'failed', message: expect.stringMatching(/step 3/) })
    expect(sink.text).toBe('aa')
  })

  test('a failing forward delivers held-back text and passes the error on', async () => {
    const backend = scriptedBackend('xST', {
      onForward: (call) => {
        if (call === 3) throw new Error('device lost')
      },
    })
    const { sink, result } = run(backend, { stopStrings: ['STOP'] })
    await expect(result).rejects.toThrow('device lost')
    expect(sink.text).toBe('xST')
  })

  test('a slow reader is waited for before more is computed', async () => {
    const backend = scriptedBackend('abc')
    let release: () => void = () => undefined
    const sink = {
      token: () => new Promise<void>((resolve) => (release = resolve)),
      lastPiece: () => undefined,
    }
    const { result } = run(backend, { sink })
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(backend.calls).toHaveLength(1)
    for (let i = 0; i < 3; i++) {
      release()
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    expect((await result).tokenIds).toEqual([97, 98, 99])
  })
})

describe('trace', () => {
  test('one line per token, with its id, piece and end', async () => {
    const events: [string, Readonly<Record<string, unknown>>][] = []
    await run(scriptedBackend('ab'), { trace: (event, fields) => events.push([event, fields]) }).result
    expect(events.map(([event]) => event)).toEqual(['prefill', 'token', 'token', 'token'])
    expect(events.slice(1).map(([, { position, id, piece, eos }]) => ({ position, id, piece, eos }))).toEqual(
      [
        { position: 6, id: 97, piece: 'a', eos: false },
        { position: 7, id: 98, piece: 'b', eos: false },
        { position: 8, id: 256, piece: '', eos: true },
      ],
    )
  })

  test('when it is off its arguments are never evaluated', async () => {
    let evaluations = 0
    const backend = scriptedBackend('abcdef')
    const watched: GenerateOptions = {
      backend,
      // The trace's fields read the cache's length: a cache that counts the reads tells whether they were made.
      cache: new Proxy(backend.createCache(), {
        get(target, key) {
          if (key === 'length') evaluations++
          return Reflect.get(target, key)
        },
      }),
      promptIds: PROMPT,
      sampler: createSampler({ temperature: 0 }, backend),
      sink: collectingSink(),
      maxTokens: 0,
    }
    await generate(watched)
    const off = evaluations
    evaluations = 0
    const cache = backend.createCache()
    await generate({
      ...watched,
      backend: scriptedBackend('abcdef'),
      cache: countReads(cache, () => evaluations++),
      trace: () => undefined,
    })
    // With a trace: one more read per token (six letters and EOS) than without.
    expect(evaluations - off).toBe(7)
  })
})

function countReads<T extends object>(target: T, onRead: () => void): T {
  return new Proxy(target, {
    get(object, key) {
      if (key === 'length') onRead()
      return Reflect.get(object, key)
    },
  })
}

describe('what is held back at the end', () => {
  /** A byte that begins a character, and no other follows: the stream holds it, and gives U+FFFD at last. */
  const CUT = 0xf0
  const end = async (script: readonly number[], stop: string) => {
    const { sink, result } = run(scriptedBackend(script), { stopStrings: [stop], maxTokens: script.length })
    await result
    return sink.text
  }

  test('comes in order, from the stream through the stop strings', async () => {
    expect(await end([120, 121, CUT], 'xyz')).toBe('xy\uFFFD')
    expect(await end([97, CUT], '\uFFFDz')).toBe('a\uFFFD')
    expect(await end([97, CUT], 'a\uFFFD')).toBe('')
  })

  test('is a first text too', async () => {
    const { result } = run(scriptedBackend('ab'), { stopStrings: ['abc'], maxTokens: 2 })
    const { timings } = await result
    expect(timings.firstTextAt).toBeGreaterThanOrEqual(timings.prefilledAt)
  })
})

test('other ids than the model’s may end it', async () => {
  const { sink, result } = run(scriptedBackend('abc'), { stopTokenIds: new Set([98]) })
  expect(await result).toMatchObject({ finishReason: 'stop', tokenIds: [97] })
  expect(sink.text).toBe('a')
})
