/** The command lines whose start is measured, and what each column of the table is called. */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { prepareModel } from '../prepare.mjs'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const here = (name) => fileURLToPath(new URL(name, import.meta.url))
/** 32 tokens of Qwen's tokenizer. */
export const PROMPT =
  'The lighthouse keeper climbed the narrow stairs, lit the lamp, and looked out over the dark water, where a small boat was ' +
  'waiting for the light to find'

/**
 * `before`: another built checkout of this project. `cache`: a folder for what each checkout keeps of its own making.
 * Without a model only the embedded one is measured.
 */
export function makeArms({ model, threads, before, cache, peers }) {
  const builds = [
    { label: 'spout', root: ROOT },
    ...(before ? [{ label: 'before', root: resolve(before) }] : []),
  ]
  const arms = [{ name: 'node', args: ['-e', '0'] }]
  for (const { label, root } of builds) arms.push(...spoutArms({ label, root, model, threads, cache }))
  if (model !== undefined) {
    for (const peer of peers) arms.push(peerArm({ peer, model, threads }))
  }
  return arms
}

function spoutArms({ label, root, model, threads, cache }) {
  const program = join(root, 'bin/spout.js')
  if (!existsSync(join(root, 'dist'))) throw new Error(`${root}: not built: npm run build`)
  const env = {
    SPOUT_CACHE_DIR: join(cache, label),
    XDG_CONFIG_HOME: join(cache, 'no-settings'),
    SPOUT_MODEL: '',
  }
  const prepares = label === 'spout'
  const generate = [program, '-q', '-n', '1', '-t', '0', '--raw', '--threads', String(threads)]
  const arms = [
    { name: `${label} --version`, args: [program, '--version'], env },
    { name: `${label} embedded`, args: [...generate, PROMPT], env },
  ]
  if (model !== undefined) {
    const args = [...generate, '--offline', '-m', model, '--dtype', 'q4']
    arms.push({ name: `${label} model`, args: [...args, PROMPT], env })
    if (prepares) arms.push({ name: `${label} unprepared`, args: [...args, '--no-prepare', PROMPT], env })
  }
  if (prepares) {
    for (const each of [undefined, ...(model === undefined ? [] : [model])])
      prepareModel({ model: each, threads, env })
  }
  return arms
}

function peerArm({ peer, model, threads }) {
  const path = peer === 'node-llama-cpp' ? join(model, 'model_q4_0.gguf') : model
  return { name: peer, args: [here(`${peer}.mjs`), path, String(threads), PROMPT] }
}
