/** Pages of texts that begin alike: found by their whole chain of ids, held once, and let go leaf by leaf. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { PAGE, type Page } from '../../src/backend/kv.ts'
import { PrefixTree } from '../../src/prefix-cache/prefix-tree.ts'

class CountedPage implements Page {
  readonly bytes = []
  holders = 1
  retain(): void {
    expect(this.holders).toBeGreaterThan(0)
    this.holders++
  }
  release(): void {
    expect(this.holders).toBeGreaterThan(0)
    this.holders--
  }
}

/** A text of so many pages; its letters are the ids of its pages. */
const idsOf = (letters: string, rest = 0): Int32Array =>
  Int32Array.from(
    [...letters].flatMap((letter) => Array(PAGE).fill(letter.charCodeAt(0))).concat(Array(rest).fill(1)),
  )

const pagesFor = (letters: string): CountedPage[] => [...letters].map(() => new CountedPage())

function add(tree: PrefixTree, letters: string): CountedPage[] {
  const pages = pagesFor(letters)
  const pin = tree.pin(idsOf(letters))
  pin.extend(idsOf(letters), pages)
  pin.release()
  // The text ends.
  for (const page of pages) page.release()
  return pages
}

const found = (tree: PrefixTree, letters: string): readonly Page[] => {
  const pin = tree.pin(idsOf(letters, 5))
  const { pages } = pin
  pin.release()
  return pages
}

test('a text is found by all ids before a page, not by the page alone', () => {
  const tree = new PrefixTree()
  const pages = add(tree, 'abc')
  expect(found(tree, 'abc')).toEqual(pages)
  expect(found(tree, 'abx')).toEqual(pages.slice(0, 2))
  expect(found(tree, 'bc')).toEqual([])
  expect(tree.lengthOf(idsOf('ab', 100))).toBe(2 * PAGE)
  expect(tree.lengthOf(idsOf('ab').subarray(0, 2 * PAGE - 1))).toBe(PAGE)
})

test('what is there already is held once', () => {
  const tree = new PrefixTree()
  const first = add(tree, 'ab')
  const second = add(tree, 'abc')
  expect(tree.size).toBe(3)
  expect(second.map(({ holders }) => holders)).toEqual([0, 0, 1])
  expect(found(tree, 'abc')).toEqual([first[0], first[1], second[2]])
})

test('the leaf that was not used for longest goes first, and what a text uses stays', () => {
  const tree = new PrefixTree()
  const [a, b] = add(tree, 'ab')
  const [, c] = add(tree, 'ac')
  const [d] = add(tree, 'd')
  const pin = tree.pin(idsOf('ab'))
  tree.reclaim(1)
  expect([b, c, d].map((page) => page!.holders)).toEqual([1, 0, 1])
  tree.reclaim(5)
  expect([a, b, d].map((page) => page!.holders)).toEqual([1, 1, 0])
  pin.release()
  tree.reclaim(1)
  expect([a!.holders, b!.holders]).toEqual([1, 0])
  tree.reclaim(1)
  expect(tree.size).toBe(0)
})

test('it holds no more than it may, but what is used', () => {
  const tree = new PrefixTree({ most: 2 })
  const pin = tree.pin(idsOf('abc'))
  pin.extend(idsOf('abc'), pagesFor('abc'))
  expect(tree.size).toBe(3)
  pin.release()
  expect(tree.size).toBe(2)
  tree.close()
  expect(tree.size).toBe(0)
})

test('any order of texts, reclaims and ends: pages of the right chain, each freed once', () => {
  const texts = fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 1, maxLength: 6 })
  const steps = fc.array(fc.oneof(fc.record({ add: texts }), fc.record({ reclaim: fc.nat(4) })), {
    maxLength: 40,
  })
  fc.assert(
    fc.property(steps, fc.integer({ min: 1, max: 10 }), (all, most) => {
      const tree = new PrefixTree({ most })
      const chains = new Map<Page, string>()
      const everything: CountedPage[] = []
      for (const step of all) {
        if ('reclaim' in step) tree.reclaim(step.reclaim)
        else {
          const pin = tree.pin(idsOf(step.add))
          const shared = pin.pages
          shared.forEach((page, i) => {
            expect(chains.get(page)).toBe(step.add.slice(0, i + 1))
            page.retain()
          })
          const own = pagesFor(step.add.slice(shared.length))
          own.forEach((page, i) => {
            chains.set(page, step.add.slice(0, shared.length + i + 1))
          })
          everything.push(...own)
          pin.extend(idsOf(step.add), [...shared, ...own])
          pin.release()
          for (const page of [...shared, ...own]) page.release()
        }
        expect(tree.size).toBeLessThanOrEqual(most)
        expect(everything.filter(({ holders }) => holders > 0)).toHaveLength(tree.size)
      }
      tree.close()
      expect(everything.every(({ holders }) => holders === 0)).toBe(true)
    }),
    { numRuns: 200 },
  )
})
