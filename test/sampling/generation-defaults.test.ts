import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { samplingDefaults } from '../../src/sampling/generation-defaults.ts'
import { GREEDY, resolveSampling } from '../../src/sampling/sampling-params.ts'

const resolve = (config: Record<string, unknown>) => resolveSampling(samplingDefaults(config).options)

describe('without do_sample: true', () => {
  test('it is greedy, and the rest waits for a temperature', () => {
    expect(resolve({})).toEqual({ ...GREEDY, topK: 50 })
    expect(resolve({ do_sample: false, temperature: 0.6, top_p: 0.9 })).toEqual({
      ...GREEDY,
      topK: 50,
      topP: 0.9,
    })
    expect(resolve({ temperature: 0.6 }).temperature).toBe(0)
  })
})

describe('with do_sample: true', () => {
  test('absent and null fields have the defaults of transformers', () => {
    expect(resolve({ do_sample: true })).toEqual({ ...GREEDY, temperature: 1, topK: 50 })
    const nulls = { temperature: null, top_k: null, top_p: null, min_p: null, bad_words_ids: null }
    expect(resolve({ do_sample: true, ...nulls })).toEqual({ ...GREEDY, temperature: 1, topK: 50 })
  })

  test('every field is read', () => {
    const config = {
      do_sample: true,
      temperature: 0.7,
      top_k: 20,
      top_p: 0.8,
      min_p: 0.05,
      typical_p: 0.95,
      epsilon_cutoff: 3e-4,
      eta_cutoff: 2e-3,
      repetition_penalty: 1.05,
      no_repeat_ngram_size: 3,
      min_new_tokens: 5,
      suppress_tokens: [7, 8],
      bad_words_ids: [[9], [10, 11], [2]],
      eos_token_id: [2, 3],
    }
    expect(samplingDefaults(config)).toEqual({
      notes: [],
      options: {
        temperature: 0.7,
        topK: 20,
        topP: 0.8,
        minP: 0.05,
        typicalP: 0.95,
        epsilon: 3e-4,
        eta: 2e-3,
        repetitionPenalty: 1.05,
        noRepeatNgramSize: 3,
        minNewTokens: 5,
        bannedIds: [7, 8, 9],
        bannedSequences: [[10, 11]],
      },
    })
  })

  test('top_k 0 turns top-k off', () => {
    expect(resolve({ do_sample: true, top_k: 0 }).topK).toBe(0)
  })
})

describe('what cannot be used', () => {
  const notesOf = (config: Record<string, unknown>) => samplingDefaults(config).notes

  test('is left aside with a note, the default in its place', () => {
    const config = {
      do_sample: true,
      temperature: 'warm',
      top_k: -1,
      top_p: 1.5,
      bad_words_ids: [[]],
      suppress_tokens: 4,
    }
    expect(resolve(config)).toEqual({ ...GREEDY, temperature: 1, topK: 50 })
    expect(notesOf(config)).toEqual([
      'generation_config.json: temperature "warm" is not a number from 0 to 100: ignored',
      'generation_config.json: top_k -1 is not a whole number from 0 to 2147483647: ignored',
      'generation_config.json: top_p 1.5 is not a number from 0 to 1: ignored',
      'generation_config.json: suppress_tokens 4 is not a list of token ids: ignored',
      'generation_config.json: bad_words_ids [[]] is not a list of token ids: ignored',
    ])
    expect(notesOf({ do_sample: 'yes' })).toEqual([
      'generation_config.json: do_sample "yes" is not true or false: ignored',
    ])
  })

  test('other ways of choosing are noted, unless they are off', () => {
    expect(notesOf({ num_beams: 4, guidance_scale: 1.5 })).toEqual([
      'generation_config.json: num_beams 4 is not supported: ignored',
      'generation_config.json: guidance_scale 1.5 is not supported: ignored',
    ])
    expect(
      notesOf({ num_beams: 1, guidance_scale: 1, penalty_alpha: 0, min_length: 0, top_h: null }),
    ).toEqual([])
  })

  test('a long value is cut, on one line', () => {
    const [note] = notesOf({ suppress_tokens: `a\n${'b'.repeat(999)}` })
    expect(note!.length).toBeLessThan(160)
    expect(note).not.toContain('\n')
  })

  test('no file makes it throw, and what it gives is always valid', () => {
    const fields = [
      'do_sample',
      'temperature',
      'top_k',
      'top_p',
      'min_p',
      'eos_token_id',
      'bad_words_ids',
      'suppress_tokens',
    ]
    const file = fc.dictionary(
      fc.constantFrom(...fields),
      fc.oneof(fc.jsonValue(), fc.boolean(), fc.double()),
    )
    fc.assert(
      fc.property(file, (config) => void resolve(config)),
      { numRuns: 2000 },
    )
  })
})
