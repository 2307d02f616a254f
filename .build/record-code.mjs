/**
 * Writes `dist/bundle/code.bin`: what V8 compiles of the built program, from runs that do what most runs do. Each adds what it
 * has run to what is there. Where none works here, the program starts without.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ONE = fileURLToPath(new URL('record-run.cjs', import.meta.url))
const SCHEMA = JSON.stringify({
  type: 'object',
  properties: {
    text: { type: 'string' },
    short: { type: 'string', minLength: 1, maxLength: 8 },
    code: { type: 'string', pattern: '^[A-Z]{2}\\d$' },
    day: { type: 'string', format: 'date' },
    count: { type: 'integer', minimum: 0, maximum: 120 },
    ratio: { type: 'number' },
    kind: { enum: ['a', 'b', 3, null] },
    list: { type: 'array', items: { type: 'string', maxLength: 3 }, minItems: 1, maxItems: 2 },
    place: { type: 'object', properties: { x: { type: 'number' } }, required: ['x'] },
    maybe: { type: ['boolean', 'null'] },
  },
  required: ['text', 'short', 'code', 'day', 'count', 'ratio', 'kind', 'list', 'place'],
})
const RUNS = [
  ['--help'],
  ['models', 'prepare', '--quiet'],
  ['Hello', '-n', '8', '--raw', '--temperature', '0.7', '--seed', '1'],
  ['Hello', '--schema', SCHEMA, '--on-limit', 'close', '-n', '400', '--jsonl', '--quiet'],
  ['Hello', '-n', '8', '--json', '--quiet'],
]

const cache = mkdtempSync(join(tmpdir(), 'spout-code-'))
try {
  for (const run of RUNS) {
    const { status, stderr } = spawnSync(process.execPath, [ONE, ...run], {
      env: { ...process.env, SPOUT_CACHE_DIR: cache, XDG_CONFIG_HOME: cache, SPOUT_OFFLINE: '1' },
      input: '',
      encoding: 'utf8',
      timeout: 120_000,
    })
    // 3: an answer that was cut off has run as well.
    if (status !== 0 && status !== 3) throw new Error(`spout ${run.join(' ')}: ${status}: ${stderr}`)
  }
} catch (error) {
  console.error(`nothing is kept of what V8 compiles: ${error.message}`)
} finally {
  rmSync(cache, { recursive: true, force: true })
}
