/** Pages are counted, copied before they are written where two hold them, and freed exactly once. */
import { existsSync, readFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { PAGE } from '../../../../src/backend/kv.ts'
import { PageList } from '../../../../src/backend/onnx/pages/page-list.ts'
import { PagePool } from '../../../../src/backend/onnx/pages/page-pool.ts'
import { PagedPool } from '../../../../src/backend/onnx/pages/paged-pool.ts'
import { SEGMENT } from '../../../../src/kernels/attention/attention-shape.ts'

const PAGE_BYTES = 16384
const HAS_HUGE = existsSync('/sys/kernel/mm/transparent_hugepage/enabled')

test('a page is what attention takes at once', () => {
  expect(PAGE).toBe(SEGMENT)
})

describe.skipIf(process.platform !== 'linux')('(skipped where there is no mmap)', () => {
  let pool: PagePool
  beforeEach(() => {
    pool = new PagePool(PAGE_BYTES)
  })
  afterEach(() => pool.dispose())

  test('growing moves nothing', () => {
    const pages = Array.from({ length: 100 }, () => pool.take())
    for (const [i, page] of pages.entries()) page.bytes[0].fill(i)
    const before = pool.address
    for (let i = 0; i < 200; i++) pool.take()
    expect(pool.address).toBe(before)
    expect(new Set(pages.map(({ index }) => index)).size).toBe(100)
    for (const [i, page] of pages.entries()) expect(page.bytes[0].every((byte) => byte === i)).toBe(true)
    expect(Math.max(...pages.map(({ index }) => index))).toBeLessThan(pool.committed)
  })

  test('few pages are memory at first', () => {
    pool.take()
    expect(pool.committed).toBe(1)
    pool.take()
    pool.take()
    expect(pool.committed).toBe(4)
  })

  test.skipIf(!HAS_HUGE)('memory is asked for in large pages (skipped where the system has none)', () => {
    pool.take()
    const { address } = pool
    expect(address % BigInt(2 ** 21)).toBe(0n)
    const about = readFileSync('/proc/self/smaps', 'latin1').split(`${address.toString(16)}-`)[1]!
    expect(/^VmFlags:.*$/m.exec(about)![0]).toMatch(/ hg( |$)/)
  })

  test('a page is free when its last holder lets go, and not again', () => {
    const page = pool.take()
    page.retain()
    page.release()
    expect([pool.used, page.isShared]).toEqual([1, false])
    page.release()
    expect(pool.used).toBe(0)
    expect(() => page.release()).toThrow('freed')
    expect(() => page.retain()).toThrow('free')
    expect(pool.take().index).toBe(page.index)
  })

  test('a limit counts pages in use; one that is lower takes none away', () => {
    const first = pool.take()
    pool.limitTo(2)
    expect(pool.freePages).toBe(1)
    const second = pool.take()
    expect(() => pool.take()).toThrow(expect.objectContaining({ code: 'os' }))
    pool.limitTo(1)
    expect([pool.freePages, pool.used]).toEqual([0, 2])
    first.release()
    expect(() => pool.take()).toThrow(expect.objectContaining({ code: 'os' }))
    second.release()
    expect(pool.take().index).toBe(second.index)
  })

  test('what is free and poisoned holds no number', () => {
    pool.isPoisoned = true
    const page = pool.take()
    expect(new Float32Array(page.bytes[0].slice().buffer).every(Number.isNaN)).toBe(true)
    page.bytes[0].fill(0)
    page.release()
    const again = pool.take()
    expect(new Float32Array(again.bytes[0].slice().buffer).every(Number.isNaN)).toBe(true)
  })

  test('a great deal that was freed is given back, and is zeros when it is used again', () => {
    const large = new PagePool(16 << 20)
    const pages = Array.from({ length: 6 }, () => large.take())
    for (const page of pages) page.bytes[0].fill(1, 0, 4096)
    for (const page of pages) page.release()
    const last = large.take()
    expect(last.bytes[0][0]).toBe(0)
    large.dispose()
  })

  describe('of one text', () => {
    test('there is a page for each 128 tokens', () => {
      const list = new PageList(pool)
      list.reserve(0, 1)
      expect(list.pages.length).toBe(1)
      list.reserve(1, PAGE - 1)
      expect(list.pages.length).toBe(1)
      list.reserve(PAGE, 1)
      expect(list.pages.length).toBe(2)
      list.trim(PAGE)
      expect([list.pages.length, pool.used]).toEqual([1, 1])
      list.trim(0)
      expect(pool.used).toBe(0)
    })

    test('a last page that two hold is copied, full ones are not', () => {
      const list = new PageList(pool)
      list.reserve(0, PAGE + 5)
      for (const [i, page] of list.pages.entries()) page.bytes[0].fill(i + 1)
      const other = new PageList(pool, list.pages)
      const [full, last] = list.pages
      other.reserve(PAGE + 5, 1)
      expect(list.pages).toEqual([full, last])
      expect(other.pages[0]).toBe(full)
      expect(other.pages[1]).not.toBe(last)
      expect(other.pages[1]!.bytes[0].every((byte) => byte === 2)).toBe(true)
      expect([pool.used, last!.isShared]).toEqual([3, false])
      // Nobody else holds it any more.
      list.reserve(PAGE + 5, 1)
      expect(list.pages[1]).toBe(last)
    })

    test('a full page that two hold is copied when one of them goes on within it', () => {
      const list = new PageList(pool)
      list.reserve(0, PAGE)
      const other = new PageList(pool, list.pages)
      other.reserve(PAGE, 1)
      expect(other.pages[0]).toBe(list.pages[0])
      other.trim(PAGE - 3)
      other.reserve(PAGE - 3, 1)
      expect(other.pages[0]).not.toBe(list.pages[0])
    })

    test('without memory for all of it nothing is changed', () => {
      const list = new PageList(pool)
      list.reserve(0, 5)
      const other = new PageList(pool, list.pages)
      pool.limitTo(2)
      const before = [...other.pages]
      expect(() => other.reserve(5, PAGE)).toThrow(expect.objectContaining({ code: 'os' }))
      expect(other.pages).toEqual(before)
      expect([pool.used, list.pages[0]!.isShared]).toEqual([1, true])
    })
  })

  test('a page that is filled from elsewhere begins a text like any other', () => {
    const paged = new PagedPool(new PagePool(PAGE_BYTES))
    const page = paged.load(([bytes]) => bytes!.fill(9))
    const ids = Int32Array.from({ length: PAGE + 2 }, (_, i) => i)
    const text = paged.open({ ids, pages: [page] })
    page.release()
    expect([text.length, text.pages.length, paged.pages.used]).toEqual([PAGE + 2, 1, 1])
    expect(text.pages[0]!.bytes[0]![0]).toBe(9)
    text.dispose()
    expect(paged.pages.used).toBe(0)
    expect(() =>
      paged.load(() => {
        throw new Error('damaged')
      }),
    ).toThrow('damaged')
    expect(paged.pages.used).toBe(0)
    expect(() => paged.open({ ids: ids.subarray(0, 5), pages: [paged.load(() => undefined)] })).toThrow(
      'more than',
    )
    const kept = paged.load(([bytes]) => bytes!.fill(1))
    paged.dispose()
    expect(() => kept.bytes).toThrow('gone')
    kept.release()
    expect(() => paged.open()).toThrow('disposed')
  })
})
