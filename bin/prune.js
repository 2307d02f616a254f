#!/usr/bin/env node
// onnxruntime-node brings its libraries for every system, and npm installs them all: this removes those of other systems.
const { readdirSync, rmSync, statSync } = require('node:fs')
const { dirname, join } = require('node:path')

const root = join(dirname(dirname(require.resolve('onnxruntime-node'))), 'bin')
let freed = 0
for (const api of readdirSync(root)) {
  for (const system of readdirSync(join(root, api))) {
    for (const arch of readdirSync(join(root, api, system))) {
      const folder = join(root, api, system, arch)
      if (system === process.platform && arch === process.arch) continue
      for (const file of readdirSync(folder)) freed += statSync(join(folder, file)).size
      rmSync(folder, { recursive: true })
    }
  }
}
console.log(`${Math.round(freed / 1e6)} MB of other systems removed`)
