/**
 * The command line in a few files: `dist/bundle/*.cjs`. Finding and reading 150 modules takes longer than to run them. One file
 * holds what every run needs; what only some need stays in files of its own, loaded when first asked for. The maps beside them
 * lead a stack back to the sources (SPOUT_DEBUG=1). Native packages stay outside.
 */
import { rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const FOLDER = `${ROOT}dist/bundle`

rmSync(FOLDER, { recursive: true, force: true })
const bundle = await rolldown({
  input: { start: `${ROOT}src/cli/start.ts` },
  platform: 'node',
  external: [/^node:/, 'koffi', /^onnxruntime-node/],
  // A warning is a mistake in what is bundled.
  onLog(level, log) {
    if (level === 'warn') throw new Error(log.message)
  },
})
await bundle.write({
  dir: FOLDER,
  format: 'cjs',
  entryFileNames: '[name].cjs',
  chunkFileNames: '[name].cjs',
  sourcemap: true,
  minify: false,
})
await bundle.close()
