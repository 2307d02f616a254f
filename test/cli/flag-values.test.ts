import { expect, test } from 'vitest'
import { parseKeyValue } from '../../src/cli/flag-values.ts'

test.each([
  ['x=false', false],
  ['x=False', false],
  ['x=true', true],
  ['x=True', true],
  ['x=null', null],
  ['x=None', null],
  ['x=3', 3],
  ['x=[1, "a"]', [1, 'a']],
  ['x="off"', 'off'],
  ['x=Bob', 'Bob'],
  ['x=false alarm', 'false alarm'],
  ['x=', ''],
  ['x=a=b', 'a=b'],
])('a template argument is what it is in a template: %s', (text, value) => {
  expect(parseKeyValue(text)).toEqual(['x', value])
})

test.each(['FALSE', 'no', 'off', 'ON', 'yes', 'NONE', 'tRUE'])(
  'what looks like a truth value and is none is refused: %s',
  (word) => {
    expect(() => parseKeyValue(`x=${word}`)).toThrow(
      expect.objectContaining({ code: 'usage', message: expect.stringContaining(`x='"${word}"'`) }),
    )
  },
)

test.each(['messages=[]', 'add_generation_prompt=false'])(
  'what each request brings is refused: %s',
  (text) => {
    expect(() => parseKeyValue(text)).toThrow(expect.objectContaining({ code: 'usage' }))
  },
)
