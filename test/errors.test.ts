import { expect, test } from 'vitest'
import { EXIT_CODES, SpoutError } from '../src/errors.ts'

test('an error knows its exit code, its hint and its cause', () => {
  const cause = new Error('inner')
  const error = new SpoutError('config', 'tokenizer.json: no model', { hint: 'spout models verify', cause })
  expect(error).toMatchObject({ exitCode: 78, code: 'config', hint: 'spout models verify', cause })
})

test('every exit code means one thing', () => {
  const codes = Object.values(EXIT_CODES)
  expect(new Set(codes).size).toBe(codes.length)
})
