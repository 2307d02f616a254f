/** What is typed and pasted, recalled, and fitted into the context: without a terminal. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { decodeMessage, encodeMessage, openHistoryFile } from '../../src/cli/chat/history-file.ts'
import { KeyReader, type TerminalInput } from '../../src/cli/chat/key-reader.ts'
import { MessageRecall } from '../../src/cli/chat/message-recall.ts'
import { leaveOut } from '../../src/cli/chat/room.ts'

const folder = mkdtempSync(join(tmpdir(), 'spout-input-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('[chat.lines] keys and pastes', () => {
  const read = (...pieces: string[]): TerminalInput[] => {
    const reader = new KeyReader()
    return [...pieces.flatMap((piece) => reader.push(piece)), ...reader.flush()]
  }
  const marked = (text: string): string => `\x1b[200~${text}\x1b[201~`

  test.each([
    [
      'keys and sequences',
      'a\x1b[Aé\x1b[1;5C\x1bOA\x1bf\r',
      ['a', '\x1b[A', 'é', '\x1b[1;5C', '\x1bOA', '\x1bf', '\r'],
    ],
    ['a lone Escape', '\x1b', ['\x1b']],
    ['Ctrl-C between lines', 'a\r\x03b', ['a', '\r', '\x03', 'b']],
    ['one line and Enter', 'hi\r', ['h', 'i', '\r']],
  ])('%s', (_, text, keys) => {
    expect(read(text)).toEqual(keys.map((key) => ({ key })))
  })

  test('a paste is one text with line feeds, Enter at its end too; other controls are none of it', () => {
    expect(read(marked('a\r\nb\rc\n\td\x1b[31m\x07\x9b1m\u2028\r'))).toEqual([
      { paste: 'a\nb\nc\n\td[31m1m\u2028\n' },
    ])
    expect(read(`x${marked('')}y`)).toEqual([{ key: 'x' }, { paste: '' }, { key: 'y' }])
  })

  test('lines that come in one piece without marks are a paste; Enter at its end is a key', () => {
    expect(read('one\rtwo\r\nthree')).toEqual([{ paste: 'one\ntwo\nthree' }])
    expect(read('one\rtwo\r')).toEqual([{ paste: 'one\ntwo' }, { key: '\r' }])
  })

  test('Ctrl-C ends a paste whose end does not come', () => {
    expect(read('\x1b[200~half', '\x03', 'x')).toEqual([{ paste: 'half' }, { key: '\x03' }, { key: 'x' }])
  })

  test('whatever is typed, nothing of it is lost', () => {
    const unit = fc.constantFrom('\x1b', '[', 'O', '1', ';', 'A', '~', '\x03', 'é', '😀')
    fc.assert(
      fc.property(fc.array(fc.string({ unit, maxLength: 6 })), (pieces) => {
        const keys = read(...pieces).map((input) => ('key' in input ? input.key : ''))
        expect(keys.join('')).toBe(pieces.join(''))
      }),
    )
  })

  test('marked pastes and keys are the same wherever they are cut', () => {
    const key = fc.constantFrom('a', '世', '😀', '\x1b[A', '\x1b[1;5C', '\x7f', '\x03')
    const paste = fc.string({ unit: fc.constantFrom('a', '\n', '😀', '\u2028', '\t', '"'), maxLength: 20 })
    const input = fc.oneof(
      key.map((text) => ({ key: text })),
      paste.map((text) => ({ paste: text })),
    )
    fc.assert(
      fc.property(fc.array(input), fc.array(fc.integer({ min: 1, max: 9 })), (inputs, cuts) => {
        const all = inputs.map((each) => ('key' in each ? each.key : marked(each.paste))).join('')
        const pieces: string[] = []
        let at = 0
        for (const cut of cuts) {
          pieces.push(all.slice(at, at + cut))
          at += cut
        }
        expect(read(...pieces, all.slice(at))).toEqual(inputs)
      }),
    )
  })
})

describe('[chat.history] earlier messages', () => {
  test('are recalled as they were, from the newest, among those that begin as what was typed', () => {
    const recall = new MessageRecall(['c', 'ab\nsecond line', 'x', 'a'])
    expect([recall.older('a'), recall.older('ab\nsecond line'), recall.older('a')]).toEqual([
      'ab\nsecond line',
      'a',
      undefined,
    ])
    const all = new MessageRecall(['c', 'b', 'a'])
    expect([all.older(''), all.older('c'), all.older('b'), all.older('a')]).toEqual([
      'c',
      'b',
      'a',
      undefined,
    ])
    expect([all.newer('a'), all.newer('b'), all.newer('c'), all.newer('')]).toEqual(['b', 'c', '', undefined])
  })

  test('any message is one line of the file and comes back', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme', minLength: 1 }),
        fc.constantFrom('', '\n', '"', '\r'),
        (a, b) => {
          const message = b + a + b
          expect(encodeMessage(message)).not.toMatch(/[\n\r]/)
          expect(decodeMessage(encodeMessage(message))).toBe(message)
        },
      ),
    )
  })

  test('a file of lines from before is read; a message is written once and last', () => {
    const path = join(folder, 'history')
    writeFileSync(path, 'plain\n"not closed\nold\n')
    const history = openHistoryFile(path)
    expect(history.messages).toEqual(['old', '"not closed', 'plain'])
    history.add('two\nlines')
    history.add('plain')
    expect(history.messages).toEqual(['plain', 'two\nlines', 'old', '"not closed'])
    expect(openHistoryFile(path).messages).toEqual(history.messages)
    expect(readFileSync(path, 'utf8')).toContain('"two\\nlines"\n')
  })

  test('nothing is written where nothing is to be kept', () => {
    const history = openHistoryFile(undefined)
    history.add('a')
    expect(history.messages).toEqual(['a'])
  })
})

describe('[chat.full] room for a message', () => {
  test('turns are left out only where they must be, the oldest first, and an answer has room', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 200 }), { maxLength: 30 })
    fc.assert(
      fc.property(
        sizes,
        fc.integer({ min: 1, max: 300 }),
        fc.integer({ min: 16, max: 2000 }),
        fc.option(fc.integer({ min: 0, max: 600 }), { nil: undefined }),
        (turns, message, contextLength, maxTokens) => {
          const tokens = (left: number): number => turns.slice(left).reduce((a, b) => a + b, message)
          const left = leaveOut({ contextLength, maxTokens, turns: turns.length, left: 0, tokens })
          if (left === undefined) {
            expect(message).toBeGreaterThanOrEqual(contextLength)
            return
          }
          expect(left).toBeLessThanOrEqual(turns.length)
          expect(tokens(left)).toBeLessThan(contextLength)
          // Not one more than makes a quarter free, and none where an answer had room.
          if (left > 0) {
            expect(tokens(left - 1)).toBeGreaterThan(
              contextLength * 0.74 - Math.max(1, Math.min(maxTokens || 512, 512, contextLength / 8)),
            )
            expect(tokens(0) + Math.min(maxTokens || 512, 512)).toBeGreaterThan(contextLength)
          }
        },
      ),
    )
  })
})
