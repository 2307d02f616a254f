/** A damaged cache of the hub: refused, or the files of the model that is there. */
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { resolveModel } from '../../../dist/hub-cache/resolve-model.js'
import { scanCache } from '../../../dist/hub-cache/scan-cache.js'
import { mutateBytes } from '../mutate.mjs'

const MODEL = fileURLToPath(new URL('../../../fixtures/models/tiny-chat/', import.meta.url))
const COMMIT = '0123456789abcdef0123456789abcdef01234567'
const FILES = [
  'config.json',
  'generation_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'onnx/model_q4.onnx',
]

export async function open(folders) {
  const sound = folders.make()
  writeCache(sound)
  await use(sound, 'q4')
  return async ({ random, folder }) => {
    const places = writeCache(folder)
    for (let i = 0; i <= random.below(2); i++) damage({ random, ...places })
    await use(folder, random.pick(['auto', 'q4']))
    return {}
  }
}

function writeCache(folder) {
  const repo = join(folder, 'models--org--name')
  const snapshot = join(repo, 'snapshots', COMMIT)
  mkdirSync(join(snapshot, 'onnx'), { recursive: true })
  for (const name of ['refs', 'blobs']) mkdirSync(join(repo, name))
  writeFileSync(join(repo, 'refs/main'), COMMIT)
  FILES.forEach((file, i) => {
    const blob = `${i}`.repeat(40)
    cpSync(join(MODEL, file), join(repo, 'blobs', blob))
    const up = file.includes('/') ? '../../..' : '../..'
    symlinkSync(`${up}/blobs/${blob}`, join(snapshot, file))
  })
  return { repo, snapshot }
}

async function use(folder, dtype) {
  scanCache(folder)
  const options = { model: 'org/name', dtype, cacheDir: folder, offline: true, env: { HF_HUB_OFFLINE: '1' } }
  const { onnxPath } = await resolveModel(options)
  readFileSync(onnxPath)
}

function damage({ random, repo, snapshot }) {
  const file = join(snapshot, random.pick(FILES))
  const blob = join(repo, 'blobs', `${random.below(FILES.length)}`.repeat(40))
  const ref = join(repo, 'refs/main')
  const ways = [
    () => replace(ref, () => writeFileSync(ref, mutateBytes(Buffer.from(COMMIT), random))),
    () => writeFileSync(blob, mutateBytes(readFileSync(blob), random)),
    () => rmSync(blob),
    () =>
      replace(file, () =>
        symlinkSync(
          random.pick(['/etc/passwd', '/dev/zero', '.', file, '../../../../x', '/proc/self/mem']),
          file,
        ),
      ),
    () => replace(file, () => mkdirSync(file)),
    () => replace(file, () => execFileSync('mkfifo', [file])),
    () => replace(ref, () => execFileSync('mkfifo', [ref])),
    () => replace(ref, () => symlinkSync('/dev/zero', ref)),
    () => rmSync(file),
    () => rmSync(join(repo, random.pick(['refs', 'blobs', 'snapshots'])), { recursive: true }),
  ]
  try {
    random.pick(ways)()
  } catch {
    // The damage before took what this one was to change.
  }
}

function replace(path, make) {
  rmSync(path, { recursive: true, force: true })
  make()
}
