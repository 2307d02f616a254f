/**
 * The command line in a few files: `dist/bundle/*.cjs`. Finding and reading 150 modules takes longer than to run them. One file
 * holds what every run needs; what only some need stays in files of its own, loaded when first asked for. The maps beside them
 * lead a stack back to the sources (SPOUT_DEBUG=1). Native packages stay outside, and the one that only --bench may have. The
 * licences of what is inside lie beside it.
 */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const FOLDER = `${ROOT}dist/bundle`

rmSync(FOLDER, { recursive: true, force: true })
removeStale()
const bundle = await rolldown({
  input: { start: `${ROOT}src/cli/start.ts` },
  platform: 'node',
  external: [/^node:/, 'koffi', /^onnxruntime-node/, '@huggingface/transformers'],
  // A warning is a mistake in what is bundled.
  onLog(level, log) {
    if (level === 'warn') throw new Error(log.message)
  },
})
const { output } = await bundle.write({
  dir: FOLDER,
  format: 'cjs',
  // Code that was compiled before (bin/bundle.js) knows of no import().
  dynamicImportInCjs: false,
  entryFileNames: '[name].cjs',
  chunkFileNames: '[name].cjs',
  sourcemap: true,
  minify: false,
  // A text of one byte a character is loaded sooner, and what is said in it is not run.
  charset: 'ascii',
  comments: false,
})
await bundle.close()
for (const { code = '', fileName } of output)
  if (/[^\0-\x7f]/.test(code)) throw new Error(`${fileName}: is read as ASCII, and is more`)
writeFileSync(`${FOLDER}/LICENSES.txt`, licencesOf(output.flatMap(({ moduleIds = [] }) => moduleIds)))

/** What was built of sources that are gone would be packed. */
function removeStale() {
  for (const name of readdirSync(`${ROOT}dist`, { recursive: true, encoding: 'utf8' })) {
    const [, source] = /^(?!bundle\b)(.+?)(?:\.d\.ts|\.js)(?:\.map)?$/.exec(name) ?? []
    if (source !== undefined && !existsSync(`${ROOT}src/${source}.ts`)) rmSync(`${ROOT}dist/${name}`)
  }
}

/** The licence of each package that modules came from. */
function licencesOf(modules) {
  const folders = new Set(
    modules.flatMap((id) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(id)?.[0] ?? []),
  )
  return [...folders]
    .sort()
    .map(licenceOf)
    .join(`\n${'-'.repeat(80)}\n\n`)
}

function licenceOf(folder) {
  const { name, version, license } = JSON.parse(readFileSync(`${folder}/package.json`, 'utf8'))
  const file = readdirSync(folder).find((each) => /^licen[cs]e(\.|$)/i.test(each))
  const text = file === undefined ? '' : `\n${readFileSync(`${folder}/${file}`, 'utf8').trim()}\n`
  return `${name} ${version}: ${license}\n${text}`
}
