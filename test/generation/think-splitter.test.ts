import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { markerIds, openedBlock, THINK_MARKERS, thinkMarkersOf } from '../../src/generation/think-markers.ts'
import {
  type Segment,
  ThinkSplitter,
  type ThinkSplitterOptions,
} from '../../src/generation/think-splitter.ts'

function read(pieces: readonly string[], options?: ThinkSplitterOptions): Segment[] {
  const splitter = new ThinkSplitter(options)
  return [...pieces.flatMap((piece) => splitter.push(piece)), ...splitter.flush()]
}

function joined(segments: readonly Segment[]): { reasoning: string; answer: string } {
  const of = (channel: string) =>
    segments
      .filter((s) => s.channel === channel)
      .map((s) => s.text)
      .join('')
  return { reasoning: of('reasoning'), answer: of('answer') }
}

const [think] = THINK_MARKERS

test('a block at the beginning is reasoning, the rest is the answer', () => {
  expect(joined(read(['<think>\nhm\n</think>\n\nYes.']))).toEqual({ reasoning: 'hm\n', answer: 'Yes.' })
})

test('a prompt that opened the block', () => {
  expect(joined(read(['hm\n</think>\n\nYes.'], { opened: think }))).toEqual({
    reasoning: 'hm\n',
    answer: 'Yes.',
  })
})

test('an answer may speak about markers', () => {
  const text = 'Models write <think> and </think>.\n'
  expect(joined(read([text]))).toEqual({ reasoning: '', answer: text })
})

test('a second block before the answer', () => {
  expect(joined(read(['<think>a</think>\n<think>b</think> c']))).toEqual({ reasoning: 'ab', answer: ' c' })
})

test('a block that never ends is reasoning', () => {
  expect(joined(read(['<think>a</thin']))).toEqual({ reasoning: 'a</thin', answer: '' })
})

test('line breaks after a block are no answer', () => {
  expect(joined(read(['<think>a</think>\n\n']))).toEqual({ reasoning: 'a', answer: '' })
})

test('half a marker at the end is answer', () => {
  expect(joined(read(['  <thi']))).toEqual({ reasoning: '', answer: '  <thi' })
})

const fragments = fc.constantFrom(
  '<think>',
  '</think>',
  '<thi',
  'nk>',
  '</',
  '\n',
  ' ',
  'a',
  '<',
  '>',
  'word',
  '[THINK]',
  '[/THINK]',
)
const texts = fc.array(fragments, { maxLength: 14 }).map((parts) => parts.join(''))
const cuts = fc.array(fc.nat(60), { maxLength: 8 })

function split(text: string, places: readonly number[]): string[] {
  const at = [0, ...places.filter((p) => p < text.length).sort((a, b) => a - b), text.length]
  return at.slice(1).map((end, i) => text.slice(at[i], end))
}

describe('for any split', () => {
  test.each([undefined, think])('the channels are those of the whole text (opened: %o)', (opened) => {
    fc.assert(
      fc.property(texts, cuts, (text, places) => {
        const options = { markers: THINK_MARKERS, opened }
        expect(joined(read(split(text, places), options))).toEqual(joined(read([text], options)))
      }),
      { numRuns: 3000 },
    )
  })

  test('nothing but markers and the line breaks after them is lost', () => {
    fc.assert(
      fc.property(texts, (text) => {
        const lettersOf = (t: string): number => t.replace(/<\/?think>|\s/g, '').length
        // One by one: what stood on both sides of a marker that is gone may look like one.
        const letters = read([text]).reduce((sum, segment) => sum + lettersOf(segment.text), 0)
        expect(letters).toBe(lettersOf(text))
      }),
      { examples: [['<think><thi</think>nk>']] },
    )
  })

  test('exactly what may begin the closing marker is held back', () => {
    const open = fc.array(fc.constantFrom('<', '/', '</', 'think', '</th', 'a'), { maxLength: 10 })
    fc.assert(
      fc.property(open, (pieces) => {
        const splitter = new ThinkSplitter({ opened: think })
        let said = ''
        let all = ''
        for (const piece of pieces) {
          all += piece
          said += joined(splitter.push(piece)).reasoning
          const held = [8, 7, 6, 5, 4, 3, 2, 1, 0].find((length) =>
            all.endsWith(think!.close.slice(0, length)),
          )!
          fc.pre(held < 8)
          expect(said).toBe(all.slice(0, all.length - held))
        }
      }),
    )
  })
})

const opensOf = (...args: Parameters<typeof thinkMarkersOf>) =>
  thinkMarkersOf(...args)
    .filter((m) => !m.unmistakable)
    .map((m) => m.open)

test('markers of a template, and the block that a prompt left open', () => {
  expect(opensOf("{{ '[THINK]' }}")).toEqual(['[THINK]'])
  expect(opensOf('{{ messages }}')).toEqual(['<think>'])
  expect(openedBlock('<|im_start|>assistant\n<think>\n')).toBe(think)
  expect(openedBlock('<|im_start|>assistant\n<think>\n\n</think>\n\n')).toBeUndefined()
})

test('markers that nobody would begin an answer with count in any model', () => {
  const markers = thinkMarkersOf('{{ messages }}')
  const apart = { reasoning: 'hm', answer: 'Hello' }
  expect(joined(read(['◁think▷hm◁/think▷Hello'], { markers }))).toEqual(apart)
  expect(joined(read(['<|START_THINKING|>hm<|END_THINKING|>Hello'], { markers }))).toEqual(apart)
  const solution =
    '<|begin_of_thought|>\nhm<|end_of_thought|>\n\n<|begin_of_solution|>\nHello<|end_of_solution|>'
  expect(joined(read([solution], { markers }))).toEqual(apart)
})

describe('channels of gpt-oss', () => {
  const ids: Readonly<Record<string, number>> = {
    '<|start|>': 1,
    '<|channel|>': 2,
    '<|message|>': 3,
    '<|end|>': 4,
  }
  const tokenizer = {
    specialTokens: [...Object.keys(ids), '<|return|>'],
    tokenToId: (token: string) => ids[token],
  }
  const markers = thinkMarkersOf('{{ messages }}', tokenizer)
  const say = (name: string, text: string) => `<|channel|>${name}<|message|>${text}`

  test('analysis is reasoning, final is the answer', () => {
    const text = `${say('analysis', 'User says hi.')}<|end|><|start|>assistant${say('final', 'Hello!')}`
    expect(joined(read([text], { markers }))).toEqual({ reasoning: 'User says hi.', answer: 'Hello!' })
    expect(joined(read([...text], { markers }))).toEqual({ reasoning: 'User says hi.', answer: 'Hello!' })
  })

  test('an answer at once, several messages, and a channel that the prompt opened', () => {
    expect(joined(read([say('final', 'Hello!')], { markers }))).toEqual({ reasoning: '', answer: 'Hello!' })
    const more = [say('analysis', 'a'), say('commentary', 'b'), say('analysis', 'c'), say('final', 'd')]
    const text = more.join('<|end|><|start|>assistant')
    expect(joined(read([text], { markers }))).toEqual({ reasoning: 'abc', answer: 'd' })
    const opened = openedBlock('<|start|>assistant<|channel|>analysis<|message|>', markers)
    expect(joined(read([`a<|end|><|start|>assistant${say('final', 'd')}`], { markers, opened }))).toEqual({
      reasoning: 'a',
      answer: 'd',
    })
  })

  test('the special tokens in its markers are kept, others are not', () => {
    expect([...markerIds(tokenizer, markers)].sort()).toEqual([1, 2, 3, 4])
    expect(markerIds(tokenizer, thinkMarkersOf('{{ messages }}')).size).toBe(0)
  })

  test('a model that ends its turns with <|end|> is not taken for one', () => {
    expect(opensOf("{{ '<|end|>' }}")).toEqual(['<think>'])
  })
})
