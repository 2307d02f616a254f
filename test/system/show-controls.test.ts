import fc from 'fast-check'
import { expect, test } from 'vitest'
import { showControls } from '../../src/system/show-controls.ts'

const text = fc.string({ unit: 'binary' })

test('pieces may be cut anywhere', () => {
  fc.assert(
    fc.property(text, text, (a, b) => {
      expect(showControls(a + b)).toBe(showControls(a) + showControls(b))
    }),
  )
})

test('what is left drives no terminal, and is left alone the second time', () => {
  fc.assert(
    fc.property(text, (all) => {
      const shown = showControls(all)
      expect(shown).not.toMatch(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/)
      expect(showControls(shown)).toBe(shown)
    }),
  )
})

test('tabs, line feeds and every other character stay', () => {
  expect(showControls('a\tb\nc\r\n\x1b[1m\u009b\x7f€😀')).toBe('a\tb\nc\n\\x1b[1m\\x9b\\x7f€😀')
})
