/** What a run needs and may have to make first: the other programs, and the models. */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'

const HERE = import.meta.dirname

export const modelFolder = (shape) => join(HERE, '.models', shape)

/**
 * node-llama-cpp is nobody's dependency: it is installed on first use, at the versions of the lockfile. Not by `npm ci`,
 * which refuses a lockfile that lacks the optional binaries of other systems.
 */
export function installPeers() {
  const names = ['node-llama-cpp', '@mlc-ai/web-xgrammar']
  if (names.every((name) => existsSync(join(HERE, 'node_modules', name)))) return
  process.stderr.write(`installing ${names.join(' and ')} into test/peers\n`)
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm'
  const args = ['install', '--no-save', '--no-audit', '--no-fund']
  const { status } = spawnSync(npm, args, { cwd: HERE, stdio: ['ignore', 2, 2] })
  if (status !== 0) throw new Error('test/peers: npm install failed (they can be left out)')
}

/** Makes the model of a shape where it is missing. Its folder. */
export function makeModel(shape) {
  const folder = modelFolder(shape)
  if (existsSync(join(folder, 'config.json'))) return folder
  process.stderr.write(`${shape}: making the model\n`)
  const { status, error } = spawnSync('python3', [join(HERE, 'make-models.py'), shape], {
    stdio: ['ignore', 2, 2],
  })
  if (status !== 0) throw new Error(`${shape}: make-models.py failed${error ? ` (${error.message})` : ''}`)
  return folder
}

/** As the first run does it behind itself; the embedded model where none is named. `env`: where our own cache is. */
export function prepareModel({ model, threads, env }) {
  const words = [
    join(HERE, '../../bin/spout.js'),
    'models',
    'prepare',
    '--quiet',
    '--threads',
    String(threads),
  ]
  const named = model === undefined ? [] : ['--dtype', 'q4', '--', model]
  const options = { env: { ...process.env, ...env }, stdio: ['ignore', 'ignore', 'inherit'] }
  const { status } = spawnSync(process.execPath, [...words, ...named], options)
  if (status !== 0) throw new Error(`models prepare ${model ?? ''}: exit ${status}`)
}
