import { execFileSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { encodeManifest, makeManifest } from '../../src/backend/onnx/prepared/prepared-model.ts'
import { modelsCommands } from '../../src/cli/commands/models.ts'
import type { ModelsOptions } from '../../src/cli/commands/models-io.ts'
import { etagOf, FakeHub } from '../support/fake-hub.ts'
import { COMMIT, IMPATIENT, LATER, modelRepo, PULLED, REPO, temporaryFolder } from '../support/model-repo.ts'
import { onnxBytes } from '../support/tiny-onnx.ts'

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

/** Runs a command; what it wrote, and how it failed. */
async function run(name: keyof typeof modelsCommands, models: string[] = [], options: ModelsOptions = {}) {
  const [stdout, stderr]: [string[], string[]] = [[], []]
  const io = {
    stdout: { write: (text: string) => stdout.push(text) },
    stderr: { write: (text: string) => stderr.push(text) },
    env: { HF_HUB_CACHE: root, HF_ENDPOINT: hub.url, HOME: root, SPOUT_CACHE_DIR: join(root, 'own') },
  }
  const error = await modelsCommands[name](models, { patience: IMPATIENT, ...options }, io).then(
    () => undefined,
    (e) => e,
  )
  return { stdout: stdout.join(''), stderr: stderr.join(''), error }
}

const json = async (...args: Parameters<typeof run>) => {
  const { stdout, error } = await run(args[0], args[1], { ...args[2], json: true })
  return { value: JSON.parse(stdout), error }
}

const folder = (...names: string[]) => join(root, 'models--org--name', ...names)

/** A second commit that shares all but its config with the first. */
function moveOn(): void {
  const { files } = hub.repos.get(REPO)!
  hub.repos.set(REPO, {
    commit: LATER,
    files: { ...files, 'config.json': '{"model_type":"llama","hidden_size":8}' },
  })
}

describe('models pull', () => {
  it('fetches models, tells each on stdout and its progress on stderr', async () => {
    const { stdout, stderr } = await run('pull', [REPO])
    expect(stdout).toBe(`${REPO} ${COMMIT} q4\n`)
    expect(stderr).toContain('fetched onnx/model_q4.onnx_data (200 kB) in 0 s')
    expect(stderr).not.toContain('\x1b')
  })

  it('asks the hub even when all is cached, and tells as JSON', async () => {
    await run('pull', [REPO])
    moveOn()
    const { value } = await json('pull', [REPO], { dtype: 'q4', quiet: true })
    expect(value).toEqual([
      {
        id: REPO,
        revision: LATER,
        dtype: 'q4',
        folder: folder('snapshots', LATER),
        onnx_path: folder('snapshots', LATER, 'onnx/model_q4.onnx'),
      },
    ])
  })

  it('takes a name on the hub for that, whatever folders there are', async () => {
    expect((await run('pull', ['.'])).error).toMatchObject({ code: 'usage' })
    expect((await run('pull', ['test/cli'])).error).toMatchObject({ code: 'not-found' })
  })
})

describe('models list', () => {
  it('is empty where nothing is cached', async () => {
    expect(await run('list')).toMatchObject({
      stdout: '',
      stderr: `no models in ${root}\n`,
      error: undefined,
    })
    expect((await json('list')).value).toEqual([])
  })

  it('tells size, dtypes, revision and last use of each snapshot', async () => {
    await run('pull', [REPO])
    await run('pull', [REPO], { dtype: 'fp32' })
    const [head, line, ...more] = (await run('list')).stdout.trimEnd().split('\n')
    expect(head).toMatch(/^MODEL +REVISION +DTYPES +SIZE +LAST USED$/)
    expect(line).toMatch(/^org\/name +0123456789ab +q4 fp32 +25\d kB +\d{4}-\d\d-\d\d$/)
    expect(more).toEqual([])
    moveOn()
    await run('pull', [REPO])
    const { value } = await json('list')
    const told = value.map((s: Record<string, unknown>) => [s.id, s.revision, s.refs, s.dtypes, s.files])
    expect(told).toEqual([
      [REPO, COMMIT, [], ['q4', 'fp32'], PULLED.length + 1],
      [REPO, LATER, ['main'], ['q4'], PULLED.length],
    ])
    expect((await run('list')).stdout).toContain(`org/name@${COMMIT} `)
  })

  it('leaves out what has no graph, unless all are asked for', async () => {
    await run('pull', [REPO])
    for (const name of readdirSync(folder('snapshots', COMMIT, 'onnx')))
      unlinkSync(folder('snapshots', COMMIT, 'onnx', name))
    expect((await run('list')).stdout).toBe('')
    expect((await run('list', [], { all: true })).stdout).toMatch(/org\/name +0123456789ab +- /)
  })
})

describe('models show', () => {
  it('tells what people ask of a model', async () => {
    await run('pull', [REPO])
    const { value } = await json('show', [REPO])
    expect(value).toEqual([
      {
        id: REPO,
        revision: COMMIT,
        folder: folder('snapshots', COMMIT),
        architecture: 'llama',
        context_length: 512,
        kv_bytes_per_token: 2 * 2 * 8 * 4,
        chat_template: false,
        licence: 'apache-2.0',
        prepared: [],
        device: [],
        graphs: [{ dtype: 'q4', file: 'onnx/model_q4.onnx', size: expect.any(Number) }],
        dtype: 'q4',
        runs: expect.objectContaining({ device: 'cpu', prepared: false, runtime: 'c-api' }),
        sampling: expect.objectContaining({ temperature: 0, top_k: 50 }),
      },
    ])
    const { stdout } = await run('show', [REPO])
    expect(stdout).toMatch(/^model: +org\/name$/m)
    expect(stdout).toMatch(/^KV cache: +128 B per token$/m)
    expect(stdout).toMatch(/^licence: +apache-2.0$/m)
  })

  it('shows a folder, its template and no control characters of strangers', async () => {
    const model = temporaryFolder()
    const config = { architectures: ['Evil\x1b[2J'], head_dim: 64, num_key_value_heads: 3 }
    writeFileSync(join(model, 'config.json'), JSON.stringify(config))
    writeFileSync(join(model, 'tokenizer_config.json'), JSON.stringify({ chat_template: '{{ messages }}' }))
    writeFileSync(join(model, 'model.onnx'), onnxBytes({ inside: 10 }))
    const { stdout } = await run('show', [model])
    expect(stdout).toContain('Evil\\x1b[2J')
    expect(stdout).not.toContain('\x1b')
    expect(stdout).toMatch(/^chat template: +yes$/m)
    rmSync(model, { recursive: true })
  })

  it.each(['a folder', 'a pipe', 'no text'])(
    'needs no model card: where it is %s, the rest is told',
    async (what) => {
      await run('pull', [REPO])
      const card = folder('snapshots', COMMIT, 'README.md')
      rmSync(card)
      if (what === 'a folder') mkdirSync(card)
      else if (what === 'a pipe' && process.platform !== 'win32') execFileSync('mkfifo', [card])
      else writeFileSync(card, Uint8Array.of(0xff, 0, 0xfe))
      const { value } = await json('show', [REPO])
      expect(value).toEqual([expect.objectContaining({ id: REPO, architecture: 'llama', licence: null })])
    },
  )

  it('says what to type when the model is not cached', async () => {
    for (const command of ['show', 'path'] as const) {
      const { error } = await run(command, [REPO], { offline: true })
      expect(error).toMatchObject({ code: 'not-found', hint: 'with a network: spout models pull org/name' })
      expect(error.message).toContain(root)
    }
    expect(hub.requests).toEqual([])
  })

  it('of what is not cached tells the dtypes and sizes the hub has, and writes nothing', async () => {
    const { stdout } = await run('show', [REPO])
    expect(stdout).toMatch(/^dtype q4: +20\d kB {2}onnx\/model_q4\.onnx$/m)
    expect(stdout).toMatch(/^cached: +no; spout models pull org\/name$/m)
    const { value } = await json('show', [REPO])
    expect(value).toMatchObject([{ id: REPO, revision: COMMIT, folder: null, chat_template: null }])
    expect(value[0].graphs.map(({ dtype }: { dtype: string }) => dtype)).toEqual(['fp32', 'q4'])
    expect(readdirSync(root)).toEqual([])
    expect(hub.requests.filter(({ path }) => path.includes('/resolve/'))).toEqual([])
  })
})

describe('a download that was broken off', () => {
  const etag = () => etagOf({ content: hub.repos.get(REPO)!.files['onnx/model_q4.onnx_data'] as Buffer })
  const breakOff = async (): Promise<void> => {
    await run('pull', [REPO])
    unlinkSync(folder('refs/main'))
    unlinkSync(folder('snapshots', COMMIT, 'onnx/model_q4.onnx_data'))
    unlinkSync(folder('blobs', etag()))
    writeFileSync(folder('blobs', `${etag()}.x.incomplete`), Buffer.alloc(5000))
  }

  it('is in the list, by what never came and by what is half received', async () => {
    await breakOff()
    const { stdout } = await run('list')
    expect(stdout).toMatch(/^org\/name@\w+ +0123456789ab +q4 \(unfinished\) /m)
    expect(stdout).toMatch(/^org\/name +- +half received +5\.0 kB /m)
    const { value } = await json('list')
    expect(value).toMatchObject([{ id: REPO, dtypes: [], unfinished: ['q4'] }, { half_received: 5000 }])
  })

  it('is not good to verify: 78, and a pull makes it whole', async () => {
    await breakOff()
    for (const models of [[], [REPO]]) {
      const { stdout, error } = await run('verify', models)
      expect(stdout).toContain('missing: onnx/model_q4.onnx_data')
      expect(stdout).toContain('org/name: 5.0 kB half received')
      expect(error).toMatchObject({ code: 'config', hint: 'spout models pull org/name' })
    }
    unlinkSync(folder('blobs', `${etag()}.x.incomplete`))
    await run('pull', [REPO])
    expect((await run('verify', [REPO])).error).toBeUndefined()
  })

  it('is also found where nothing but a half received blob came', async () => {
    mkdirSync(folder('blobs'), { recursive: true })
    writeFileSync(folder('blobs', `${etag()}.incomplete`), 'half')
    expect((await run('list')).stdout).toContain('half received')
    expect((await run('verify', [REPO])).error).toMatchObject({ code: 'config' })
    const { error } = await run('path', [REPO])
    expect(error).toMatchObject({ code: 'not-found', message: expect.stringContaining('only parts of it') })
  })
})

describe('a cache without refs', () => {
  it('names the snapshot it has, and what to type', async () => {
    await run('pull', [REPO])
    for (const ref of [undefined, '', LATER]) {
      rmSync(folder('refs'), { recursive: true, force: true })
      if (ref !== undefined) mkdirSync(folder('refs'))
      if (ref !== undefined) writeFileSync(folder('refs/main'), ref)
      const { error } = await run('path', [REPO])
      expect(error).toMatchObject({
        code: 'not-found',
        message: expect.stringContaining('but the snapshot 0123456789ab'),
        hint: expect.stringContaining(`-m ${REPO}@${COMMIT}, or `),
      })
      expect((await run('path', [`${REPO}@${COMMIT}`])).error).toBeUndefined()
    }
  })
})

describe('models path', () => {
  it('is the folder, and in JSON also the graph', async () => {
    await run('pull', [REPO])
    expect((await run('path', [REPO])).stdout).toBe(`${folder('snapshots', COMMIT)}\n`)
    const { value } = await json('path', [REPO])
    expect(value).toMatchObject([{ onnx_path: folder('snapshots', COMMIT, 'onnx/model_q4.onnx') }])
  })
})

describe('models rm', () => {
  it('frees what no other snapshot uses', async () => {
    await run('pull', [REPO])
    moveOn()
    await run('pull', [REPO])
    const before = readdirSync(folder('blobs')).length
    const { stdout } = await run('rm', [`${REPO}@${COMMIT}`])
    expect(stdout).toMatch(/^removed org\/name 0123456789ab \(\d+ B\)\n$/)
    expect(readdirSync(folder('snapshots'))).toEqual([LATER])
    expect(readdirSync(folder('blobs')).length).toBe(before - 1)
    expect((await run('verify')).error).toBeUndefined()
    expect((await run('path', [REPO])).error).toBeUndefined()
  })

  it('removes the refs of what it removes, and all of a model without a revision', async () => {
    await run('pull', [REPO])
    await run('rm', [`${REPO}@main`])
    expect(existsSync(folder())).toBe(false)
    await run('pull', [REPO])
    moveOn()
    await run('pull', [REPO])
    const { value } = await json('rm', [REPO])
    expect(value).toMatchObject([{ repo: REPO, commits: [COMMIT, LATER] }])
    expect(readdirSync(root).filter((name) => name.startsWith('models--'))).toEqual([])
    expect(readdirSync(join(root, '.locks'))).toEqual([])
  })

  it('also removes what was prepared of it, and nothing else that was', async () => {
    await run('pull', [REPO])
    const prepare = (name: string, path: string) => {
      mkdirSync(join(root, 'own/prepared', name), { recursive: true })
      const source = { path, size: 0, modified: '0', changed: '0', sha256: '' }
      const facts = {
        runtimeVersion: '1',
        precise: false,
        sources: [source],
        absent: [],
        files: [],
        changes: [],
      }
      writeFileSync(join(root, 'own/prepared', name, 'manifest.json'), encodeManifest(makeManifest(facts)))
    }
    prepare('ours', folder('snapshots', COMMIT, 'onnx/model_q4.onnx'))
    prepare('other', join(root, 'models--org--other/snapshots', COMMIT, 'onnx/model_q4.onnx'))
    expect((await run('rm', [REPO], { dryRun: true })).stdout).toMatch(/, and \d+ B prepared of it\n$/)
    expect(readdirSync(join(root, 'own/prepared'))).toHaveLength(2)
    expect((await json('rm', [REPO])).value).toMatchObject([{ repo: REPO, prepared: expect.any(Number) }])
    expect(readdirSync(join(root, 'own/prepared'))).toEqual(['other'])
  })

  it('only tells with --dry-run', async () => {
    await run('pull', [REPO])
    const { stdout } = await run('rm', [REPO], { dryRun: true })
    expect(stdout).toMatch(/^would remove org\/name 0123456789ab \(20\d kB\)\n$/)
    expect((await run('path', [REPO])).error).toBeUndefined()
  })

  it('removes nothing outside the model, whatever its pointers say', async () => {
    await run('pull', [REPO])
    const outside = join(root, 'outside')
    writeFileSync(outside, 'precious')
    unlinkSync(folder('snapshots', COMMIT, 'config.json'))
    symlinkSync(outside, folder('snapshots', COMMIT, 'config.json'))
    await run('rm', [REPO])
    expect(existsSync(folder())).toBe(false)
    expect(readFileSync(outside, 'utf8')).toBe('precious')
  })

  it.each(['../..', 'org/none', `${REPO}@v9`])('of %s fails and removes nothing', async (model) => {
    await run('pull', [REPO])
    const { error } = await run('rm', [model])
    expect(['usage', 'not-found']).toContain(error.code)
    expect((await run('path', [REPO])).error).toBeUndefined()
  })
})

describe('models verify', () => {
  it('hashes every file', async () => {
    await run('pull', [REPO])
    expect(await run('verify', [REPO])).toMatchObject({
      stdout: `org/name 0123456789ab: ${PULLED.length} files good\n`,
      error: undefined,
    })
  })

  it('names what is corrupt or missing: 78, and how to mend it, which does', async () => {
    await run('pull', [REPO])
    truncateSync(folder('snapshots', COMMIT, 'onnx/model_q4.onnx_data'), 5)
    unlinkSync(folder('blobs', readdirSync(folder('blobs')).find((name) => name.length === 40)!))
    const { value, error } = await json('verify')
    expect(error).toMatchObject({ code: 'config', hint: 'spout models pull --repair org/name' })
    expect(value).toMatchObject([
      { good: PULLED.length - 2, corrupt: ['onnx/model_q4.onnx_data'], missing: [/json|md/] },
    ])
    await run('pull', [REPO], { repair: true })
    expect((await run('verify', [REPO])).error).toBeUndefined()
  })

  it('says so when a model is not there', async () => {
    expect((await run('verify', [REPO])).error).toMatchObject({ code: 'not-found' })
    expect((await run('verify')).error).toBeUndefined()
  })
})

describe('a command without a model', () => {
  it.each(['pull', 'show', 'rm', 'path'] as const)('%s: 2', async (command) => {
    expect((await run(command)).error).toMatchObject({ code: 'usage' })
  })
})
