import { expect, test } from 'vitest'
import { ortError } from '../../src/onnx-runtime/ort-error.ts'

test.each([
  ['pthread_create failed, error code: 11', 'os'],
  ['/x/y.cc:12 void f(int) Resource temporarily unavailable', 'os'],
  ['Failed to allocate memory for requested buffer of size 12', 'os'],
  ['std::bad_alloc', 'os'],
  ['Too many open files', 'os'],
  ['No such kernel', 'failed'],
])('%s: %s', (message, code) => {
  expect(ortError(message).code).toBe(code)
})

test('how much memory was wanted is told, where it is known', () => {
  const texts = ['Failed to allocate memory for requested buffer of size 12', 'std::bad_alloc']
  expect(texts.map((text) => ortError(text).message)).toEqual([
    'memory: ONNX Runtime could not get 12 bytes',
    'memory: ONNX Runtime could not get enough',
  ])
})

test('a hint names flags that there are', () => {
  expect(ortError('std::bad_alloc').hint).toContain('--ctx-size')
})
