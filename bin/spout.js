#!/usr/bin/env node
const { existsSync } = require('node:fs')
const { resolve } = require('node:path')

const folder = resolve(__dirname, '../dist/bundle')
if (existsSync(`${folder}/start.cjs`)) {
  // Stacks are led back to the sources for files only that Node itself loads.
  if (process.env.SPOUT_DEBUG === '1') require(`${folder}/start.cjs`).start()
  else require('./bundle.js').openBundle(folder).load('start.cjs').start()
} else {
  console.error('spout: error: it has not been built yet\nspout: hint: npm ci && npm run build')
  process.exitCode = 70
}
