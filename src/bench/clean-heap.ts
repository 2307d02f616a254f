/**
 * Takes away what was allocated since, so that a request begins as in a new process and the garbage of one arm is not cleared
 * away on the time of another. Only the young generation: a whole collection throws away shapes of objects, and with them the
 * compiled code that was made for them, and the next request would run slowly.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

type Collect = (options: { readonly type: 'minor' }) => void

let collect: Collect | undefined

export function cleanHeap(): void {
  collect ??= findCollect()
  collect({ type: 'minor' })
}

function findCollect(): Collect {
  setFlagsFromString('--expose-gc')
  const found = runInNewContext('gc') as Collect
  setFlagsFromString('--no-expose-gc')
  return found
}
