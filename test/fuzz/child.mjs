/** Runs the cases that are named on stdin, `target index` a line; says of each what became of it, a line of JSON. */
import { rmSync, writeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { randomFor } from './random.mjs'
import { temporaryFolders } from './temporary.mjs'

const [seed] = process.argv.slice(2)
// What is prepared or cached of these models is of no use to anybody.
const folders = temporaryFolders()
process.env.SPOUT_CACHE_DIR = folders.make()
process.env.HF_HUB_OFFLINE = '1'
process.on('exit', () => folders.removeAll())

const say = (what) => writeSync(1, `${JSON.stringify(what)}\n`)
const targets = new Map()

for await (const line of createInterface({ input: process.stdin })) {
  const [target, index] = line.split(' ')
  say(await outcomeOf(target, Number(index)))
}

async function outcomeOf(target, index) {
  const folder = folders.make()
  try {
    if (!targets.has(target))
      targets.set(target, await (await import(`./targets/${target}.mjs`)).open(folders))
    const random = randomFor(`${seed} ${target} ${index}`)
    const stage = (name) => say({ stage: name })
    const { wrong, detail } = await targets.get(target)({ random, folder, index, stage })
    return { kind: wrong === undefined ? 'answer' : 'wrong', detail: wrong ?? detail ?? '' }
  } catch (error) {
    const isTold = error?.name === 'SpoutError' && error.code !== 'internal'
    return { kind: isTold ? 'refused' : 'thrown', detail: `${error?.stack ?? error}`.slice(0, 600) }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
