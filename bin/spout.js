#!/usr/bin/env node
const { existsSync } = require('node:fs')

const program = `${__dirname}/../dist/bundle/start.cjs`
if (existsSync(program)) {
  require(program).start()
} else {
  console.error('spout: error: it has not been built yet\nspout: hint: npm ci && npm run build')
  process.exitCode = 70
}
