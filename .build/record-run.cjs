/** One run of the built program, and what V8 has compiled of it at its end. */
const { resolve } = require('node:path')
const { openBundle } = require('../bin/bundle.js')

const bundle = openBundle(resolve(__dirname, '../dist/bundle'))
process.on('exit', () => bundle.writeCode())
bundle.load('start.cjs').start()
