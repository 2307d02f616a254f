/**
 * Records docs/terminal.svg: types commands into a shell on a pseudo-terminal (util-linux's `script`) and keeps what
 * the terminal shows, and when. Run after a build: node docs/make/record.mjs
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { recordingSvg } from './recording-svg.mjs'
import { Screen } from './screen.mjs'

const ROOT = resolve(import.meta.dirname, '../..')
const SIZE = { columns: 84, height: 22 }
const COMMANDS = [
  'spout "Once upon a time" --seed 6 -n 35',
  'echo "The guns were silent." | spout "The Emperor said:" --seed 3 -n 30 --stats',
  'spout "My dear Prince" --seed 2 -n 12 --json | jq -c "[.finish_reason, .text]"',
]
/** States closer together than this are one frame. */
const FRAME_MS = 70
const TYPE_MS = 32
const READ_MS = 1400

const home = mkdtempSync(join(tmpdir(), 'spout-recording-'))
const rc = join(home, 'rc')
const program = `"${process.execPath}" "${join(ROOT, 'bin/spout.js')}"`
writeFileSync(rc, `PS1='$ '\nspout() { ${program} "$@"; }\nbind 'set enable-bracketed-paste off'\n`)
const shell = `stty cols ${SIZE.columns} rows ${SIZE.height}; exec bash --noprofile --rcfile ${rc} -i`
const terminal = spawn('script', ['-qfec', shell, '/dev/null'], {
  env: { PATH: process.env.PATH, HOME: home, TERM: 'xterm-256color', LANG: 'C.UTF-8', SHELL: '/bin/bash' },
})

const screen = new Screen(SIZE)
const frames = []
const start = performance.now()
let heard = ''
terminal.stdout.setEncoding('utf8')
terminal.stdout.on('data', (text) => {
  heard += text
  screen.write(text)
  const at = Math.round(performance.now() - start)
  const frame = { at, lines: screen.lines() }
  if (frames.length > 0 && at - frames.at(-1).at < FRAME_MS)
    frames[frames.length - 1] = { ...frame, at: frames.at(-1).at }
  else frames.push(frame)
})

const wait = (ms) => new Promise((done) => setTimeout(done, ms))
async function prompted() {
  while (!heard.endsWith('$ ')) await wait(20)
}
for (const command of COMMANDS) {
  await prompted()
  await wait(500)
  for (const char of command) {
    terminal.stdin.write(char)
    await wait(TYPE_MS)
  }
  heard = ''
  terminal.stdin.write('\r')
  await wait(100)
  await prompted()
  await wait(READ_MS)
}
terminal.stdin.write('exit\r')
await new Promise((done) => terminal.on('close', done))
rmSync(home, { recursive: true })

// What the shell says when it leaves is not part of it.
const end = frames.findLastIndex(
  ({ lines }) =>
    lines
      .at(-1)
      ?.map(({ text }) => text)
      .join('') === '$ ',
)
const shown = frames.slice(0, end + 1).map(({ at, lines }) => ({ at: at - frames[0].at, lines }))
writeFileSync(join(ROOT, 'docs/terminal.svg'), recordingSvg(shown, { ...SIZE, holdMs: 4000 }))
