/**
 * Writes what documents repeat from the program: the manual page, and in README.md every block between
 * `<!-- made: NAME -->` and `<!-- end -->`. Run after a build:
 *
 *     node docs/make/write-docs.mjs            writes them
 *     node docs/make/write-docs.mjs --check    only says which are not up to date
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { ENDINGS } from '../../dist/cli/help/endings.js'
import { optionsHelp } from '../../dist/cli/help/help-text.js'
import { manPage } from '../../dist/cli/help/man-page.js'

const ROOT = resolve(import.meta.dirname, '../..')
const README = join(ROOT, 'README.md')
const MAN = join(ROOT, 'man/spout.1')
/** Shown in the README as they are typed, with what they print: that depends on the weights and on the processor. */
const TRANSCRIPT = [
  'spout "Once upon a time" --seed 6 -n 35',
  'echo "The guns were silent." | spout "The Emperor said:" --seed 3 -n 30',
  'spout "My dear Prince" --seed 2 -n 12 --json | jq .text',
]

const blocks = {
  options: () => fenced('text', optionsHelp().trimEnd()),
  endings: () => {
    return table([['exit', 'when'], ...ENDINGS.map(([code, when]) => [code, when.replaceAll('|', '\\|')])])
  },
  transcript: () => fenced('console', TRANSCRIPT.map((line) => `$ ${line}\n${run(line)}`).join('\n')),
}

function run(command) {
  const program = `"${process.execPath}" "${join(ROOT, 'bin/spout.js')}"`
  const script = `spout() { ${program} "$@"; }\n${command}`
  const options = { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }
  return execFileSync('bash', ['-c', script], options).trimEnd()
}

/** A table as the formatter wants it: its columns padded. */
function table([head, ...rows]) {
  const widths = head.map((_, i) => Math.max(...[head, ...rows].map((row) => row[i].length)))
  const line = (row) => `| ${row.map((cell, i) => cell.padEnd(widths[i])).join(' | ')} |`
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n')
}

function fenced(language, text) {
  return `\`\`\`${language}\n${text}\n\`\`\``
}

function check() {
  const stale = []
  if (readFileSync(MAN, 'utf8') !== manPage()) stale.push('man/spout.1')
  for (const [, name, text] of readFileSync(README, 'utf8').matchAll(BLOCK)) {
    if (name !== 'transcript' && text !== `${blocks[name]()}\n`) stale.push(`README.md: ${name}`)
  }
  for (const name of stale) console.error(`not up to date: ${name}; npm run docs`)
  process.exitCode = stale.length === 0 ? 0 : 1
}

const BLOCK = /<!-- made: (\w+) -->\n([\s\S]*?)<!-- end -->/g

function write() {
  const text = readFileSync(README, 'utf8').replace(BLOCK, (_, name) => {
    return `<!-- made: ${name} -->\n${blocks[name]()}\n<!-- end -->`
  })
  writeFileSync(README, text)
  mkdirSync(join(ROOT, 'man'), { recursive: true })
  writeFileSync(MAN, manPage())
}

if (process.argv.includes('--check')) check()
else write()
