import { execFile } from 'node:child_process'
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FakeHub } from '../support/fake-hub.ts'
import { COMMIT, modelRepo, PULLED, pull, REPO, temporaryFolder } from '../support/model-repo.ts'
import { canRun } from '../support/pull-process.ts'

// One cache, two programs: what Python's huggingface_hub makes of ours, and we of its.

const hasPython = canRun('python3', '-c', 'import huggingface_hub')

let hub: FakeHub
let root: string
beforeEach(async () => {
  hub = await FakeHub.start()
  hub.repos.set(REPO, modelRepo())
  root = temporaryFolder()
})
afterEach(async () => {
  await hub.stop()
  rmSync(root, { recursive: true, force: true })
})

/** Runs a Python program with our cache and our hub; what it prints last is JSON. */
async function python(program: string): Promise<unknown> {
  const env = {
    PATH: process.env.PATH,
    HOME: root,
    HF_HUB_CACHE: root,
    HF_ENDPOINT: hub.url,
    HF_HUB_DISABLE_XET: '1',
    HF_HUB_DISABLE_TELEMETRY: '1',
  }
  const { stdout } = await promisify(execFile)(
    'python3',
    ['-c', `import json, huggingface_hub as h\n${program}`],
    { env },
  )
  return JSON.parse(stdout.trim().split('\n').at(-1)!)
}

const scan = `
info = h.scan_cache_dir()
scanned = {
  "warnings": [str(w) for w in info.warnings],
  "incomplete": [str(f.file_path) for f in getattr(info, "incomplete_files", [])],
  "repos": [[r.repo_id, r.nb_files, [[v.commit_hash, sorted(v.refs), len(v.files)] for v in r.revisions]] for r in info.repos],
}
`

interface Scanned {
  readonly warnings: string[]
  readonly incomplete: string[]
}

describe.skipIf(!hasPython)('Python’s huggingface_hub (needs huggingface_hub)', () => {
  it('C14: scans our cache without a warning, and finds our snapshot without the network', async () => {
    const { folder } = await pull(hub, root)
    hub.requests.length = 0
    const [scanned, ...found] = (await python(`${scan}
print(json.dumps([scanned, h.snapshot_download("${REPO}", local_files_only=True),
  h.hf_hub_download("${REPO}", "onnx/model_q4.onnx", local_files_only=True),
  h.try_to_load_from_cache("${REPO}", "chat_template.jinja") is h._CACHED_NO_EXIST]))`)) as unknown[]
    expect(scanned).toEqual({
      warnings: [],
      incomplete: [],
      repos: [[REPO, PULLED.length, [[COMMIT, ['main'], PULLED.length]]]],
    })
    expect(found).toEqual([folder, join(folder, 'onnx/model_q4.onnx'), true])
    expect(hub.requests).toEqual([])
  })

  it('C14: scans a cache without a warning in which a download was broken off', async () => {
    hub.pace = { chunk: 10_000, ms: 20 }
    const abort = new AbortController()
    const onProgress = ({ received }: { received: number }) => received > 50_000 && abort.abort()
    await expect(pull(hub, root, { signal: abort.signal, onProgress })).rejects.toThrow()
    const { warnings, incomplete } = (await python(`${scan}print(json.dumps(scanned))`)) as Scanned
    expect(warnings).toEqual([])
    expect(incomplete).toHaveLength(1)
  })

  it('C14: verifies every file of ours by its hash', async () => {
    await pull(hub, root)
    const result = await python(`
v = h.HfApi().verify_repo_checksums("${REPO}", revision="${COMMIT}")
print(json.dumps([len(v.mismatches), sorted(v.extra_paths), v.checked_count]))`)
    expect(result).toEqual([0, [], PULLED.length])
  })

  it('a whole snapshot of its making is used by us without a request', async () => {
    await python(`print(json.dumps(h.snapshot_download("${REPO}")))`)
    expect(existsSync(join(root, 'models--org--name/trees', `${COMMIT}.json`))).toBe(true)
    hub.requests.length = 0
    for (const offline of [true, false])
      expect(await pull(hub, root, { offline })).toMatchObject({ revision: COMMIT, dtype: 'q4' })
    expect(await pull(hub, root, { dtype: 'fp32' })).toMatchObject({ dtype: 'fp32' })
    expect(hub.requests).toEqual([])
  })

  it('a partial snapshot of its making is filled by us, and it uses what we filled', async () => {
    await python(`print(json.dumps(h.snapshot_download("${REPO}", allow_patterns=["*.json"])))`)
    await expect(pull(hub, root, { offline: true })).rejects.toMatchObject({ code: 'not-found' })
    hub.requests.length = 0
    await pull(hub, root)
    expect(hub.requests.filter((r) => /json/.test(r.path) && r.path.includes('/resolve/'))).toEqual([])
    const [scanned, found] = (await python(`${scan}
print(json.dumps([scanned, h.snapshot_download("${REPO}", local_files_only=True, allow_patterns=["onnx/model_q4*"])]))`)) as [
      Scanned,
      string,
    ]
    expect(scanned.warnings).toEqual([])
    expect(found).toBe(join(root, 'models--org--name/snapshots', COMMIT))
  })
})
