import { expect, test } from 'vitest'
import { checkArguments } from '../../src/cli/arguments.ts'

const bytes =
  (...words: (string | number[])[]) =>
  () =>
    Buffer.concat(words.map((word) => Buffer.concat([Buffer.from(word as string), Buffer.of(0)])))

test('[A9] a word that is not UTF-8 is refused wherever it stands, a U+FFFD that was written is not', () => {
  const line = bytes('node', 'spout', '--stop', [0x63, 0xe9], 'x')
  expect(() => checkArguments(['--stop', 'c\ufffd', 'x'], line)).toThrow(
    'argument "c\ufffd": it is not UTF-8',
  )
  expect(() => checkArguments(['\ufffd'], bytes('node', 'spout', '\ufffd'))).not.toThrow()
  expect(() => checkArguments(['\ufffd'], () => new Uint8Array())).not.toThrow()
  expect(() => checkArguments(['x'], line)).not.toThrow()
})
