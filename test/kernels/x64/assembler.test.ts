import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { Assembler } from '../../../src/kernels/x64/assembler.ts'
import { CodeBuffer } from '../../../src/kernels/x64/code-buffer.ts'
import { Ymm } from '../../../src/kernels/x64/ymm.ts'
import { Zmm } from '../../../src/kernels/x64/zmm.ts'

type Row = readonly [method: string, args: readonly unknown[], bytes: string]
/** As LLVM encodes them: fixtures/make/instructions.py. */
const rows = JSON.parse(readFileSync('fixtures/golden/instructions.json', 'utf8')) as readonly Row[]
const byMethod = new Map<string, Row[]>()
for (const row of rows) byMethod.set(row[0], [...(byMethod.get(row[0]) ?? []), row])

const hex = (code: CodeBuffer): string => Buffer.from(code.finish()).toString('hex')

test.each([...byMethod])('%s', (method, cases) => {
  for (const [, args, bytes] of cases) {
    const code = new Assembler('avx2')
    const [first, second] = method.split('.') as [keyof Assembler, string?]
    const [owner, name] = second === undefined ? [code, first] : [code[first], second]
    ;(owner as unknown as Record<string, (...args: readonly unknown[]) => void>)[name]!(...args)
    expect(hex(code), JSON.stringify(args)).toBe(bytes)
  }
})

test('every instruction of the assembler is compared, but those that go to a label', () => {
  const namesOf = (type: { prototype: object }, prefix: string): string[] =>
    Object.getOwnPropertyNames(type.prototype).flatMap((name) =>
      name === 'constructor' ? [] : [`${prefix}${name}`],
    )
  const own = [...namesOf(Assembler, ''), ...namesOf(Zmm, 'zmm.'), ...namesOf(Ymm, 'ymm.')]
  const left = own.filter((name) => !byMethod.has(name))
  expect(left.sort()).toEqual(['call', 'jump', 'jumpIf', 'leaLabel'])
})

test('a number that would turn into another one is refused', () => {
  const code = new Assembler('avx2')
  for (const value of [2 ** 31, -(2 ** 31) - 1]) {
    expect(() => code.addNumber(3, value)).toThrow(RangeError)
    expect(() => code.imulNumber(3, 3, value)).toThrow(RangeError)
    expect(() => code.load(3, { base: 3, disp: value })).toThrow(RangeError)
  }
})

describe('labels', () => {
  test('forward and backward', () => {
    const code = new Assembler('avx2')
    const [before, after] = [code.label(), code.label()]
    code.bind(before)
    code.jumpIf('notEqual', after) // 6 bytes
    code.jump(before) // 5
    code.call(before) // 5
    code.leaLabel(9, after) // 7
    code.bind(after)
    code.ret()
    expect(hex(code)).toBe('0f8511000000' + 'e9f5ffffff' + 'e8f0ffffff' + '4c8d0d00000000' + 'c3')
  })

  test('code grows and stays what it was', () => {
    const code = new CodeBuffer()
    const bytes = Array.from({ length: 10_000 }, (_, i) => i % 251)
    for (const each of bytes) code.byte(each)
    code.align(64)
    expect(code.length).toBe(10_048)
    expect([...code.finish().subarray(0, 10_000)]).toEqual(bytes)
  })
})
