/** What is packed, and the programs in bin/ by themselves. */
import { spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, expect, test } from 'vitest'

const ROOT = resolve(import.meta.dirname, '..')
const folder = mkdtempSync(join(tmpdir(), 'spout-package-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
cpSync(join(ROOT, 'bin'), join(folder, 'bin'), { recursive: true })
const run = (file: string) => spawnSync(process.execPath, [join(folder, 'bin', file)], { encoding: 'utf8' })

test('npm installs the manual page, and packs only after a build', () => {
  const { man, files, scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  expect(man).toEqual(['man/spout.1'])
  expect(scripts.prepack).toBe('npm run build')
  expect(files).toContain('!fixtures/models/spout-tiny/onnx/model.onnx')
})

const built = join(ROOT, 'dist')
test.runIf(existsSync(built))('nothing is packed of sources that are gone (needs npm run build)', () => {
  const modules = readdirSync(built, { recursive: true, encoding: 'utf8' }).flatMap((name) => {
    return /^(?!bundle\b)(.*)\.js$/.exec(name.replaceAll('\\', '/'))?.[1] ?? []
  })
  expect(modules.length).toBeGreaterThan(100)
  expect(modules.filter((name) => !existsSync(join(ROOT, 'src', `${name}.ts`)))).toEqual([])
})

test('before a build it says so in one line and a hint', () => {
  const { status, stdout, stderr } = run('spout.js')
  expect([status, stdout]).toEqual([70, ''])
  expect(stderr).toBe('spout: error: it has not been built yet\nspout: hint: npm ci && npm run build\n')
})

test('what was installed for other systems goes, and nothing else', () => {
  const runtime = join(folder, 'node_modules/onnxruntime-node')
  const ours = join('napi-v6', process.platform, process.arch)
  for (const place of [ours, 'napi-v6/plan9/x64', `napi-v6/${process.platform}/mips`]) {
    mkdirSync(join(runtime, 'bin', place), { recursive: true })
    writeFileSync(join(runtime, 'bin', place, 'lib.so'), 'x'.repeat(600_000))
  }
  mkdirSync(join(runtime, 'dist'))
  writeFileSync(join(runtime, 'dist/index.js'), '')
  writeFileSync(join(runtime, 'package.json'), '{"main": "dist/index.js"}')
  expect(run('prune.js').stdout).toBe('1 MB of other systems removed\n')
  expect(
    [ours, 'napi-v6/plan9/x64', `napi-v6/${process.platform}/mips`].map((place) =>
      existsSync(join(runtime, 'bin', place)),
    ),
  ).toEqual([...[true, false, false]])
  expect(existsSync(join(runtime, 'dist/index.js'))).toBe(true)
})
