/** Models on a shelf: loaded once, however many ask at once, and gone only when nobody uses them. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Engine } from '../../src/engine/engine.ts'
import { type Lease, type ServedModel, Shelf } from '../../src/server/shelf.ts'

const NEVER = new AbortController().signal

/** Models that count how many of them are there. */
function modelsOf(names: readonly string[]) {
  const there = { now: 0, most: 0, opened: 0, disposed: 0 }
  const open = async (name: string): Promise<Engine> => {
    there.opened++
    there.most = Math.max(there.most, ++there.now)
    await new Promise(setImmediate)
    let isDisposed = false
    const dispose = async (): Promise<void> => {
      if (isDisposed) throw new Error(`${name} is disposed twice`)
      isDisposed = true
      await new Promise(setImmediate)
      there.now--
      there.disposed++
    }
    return { dispose } as unknown as Engine
  }
  const models: ServedModel[] = names.map((name) => ({ name, open: () => open(name) }))
  return { models, there }
}

test('one that many ask for at once is loaded once, also where another has to go first', async () => {
  const { models, there } = modelsOf(['a', 'b'])
  const shelf = new Shelf(models, 1)
  const first = await shelf.lease(models[0]!, NEVER)
  first.release()
  const leases = await Promise.all([1, 2, 3].map(() => shelf.lease(models[1]!, NEVER)))
  expect(new Set(leases.map(({ engine }) => engine)).size).toBe(1)
  expect(there).toEqual({ now: 1, most: 1, opened: 2, disposed: 1 })
  await shelf.close()
  expect(there.now).toBe(0)
})

test('there are never more than may be, and all who ask get theirs', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 3 }),
      fc.array(fc.record({ model: fc.nat(3), turns: fc.nat(4) }), { maxLength: 30 }),
      async (keep, asks) => {
        const { models, there } = modelsOf(['a', 'b', 'c', 'd'])
        const shelf = new Shelf(models, keep)
        const use = async ({ model, turns }: { model: number; turns: number }): Promise<void> => {
          const lease: Lease = await shelf.lease(models[model]!, NEVER)
          for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate)
          lease.release()
        }
        await Promise.all(asks.map(use))
        expect(there.most).toBeLessThanOrEqual(keep)
        await shelf.close()
        expect([there.now, there.disposed]).toEqual([0, there.opened])
      },
    ),
    { numRuns: 60 },
  )
})

test('who gives up while waiting is told so', async () => {
  const { models } = modelsOf(['a', 'b'])
  const shelf = new Shelf(models, 1)
  const held = await shelf.lease(models[0]!, NEVER)
  const giving = new AbortController()
  const waiting = shelf.lease(models[1]!, giving.signal)
  giving.abort(new Error('gone'))
  await expect(waiting).rejects.toThrow('gone')
  held.release()
  await shelf.close()
})
