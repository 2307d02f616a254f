import { randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { type ResolveOptions, resolveModel } from '../../src/hub-cache/resolve-model.ts'
import type { FakeHub, FakeRepo } from './fake-hub.ts'
import { onnxBytes } from './tiny-onnx.ts'

export const REPO = 'org/name'
export const COMMIT = '0123456789abcdef0123456789abcdef01234567'
export const LATER = 'fedcba9876543210fedcba9876543210fedcba98'
/** Bytes of the weights of the 4-bit graph. */
export const WEIGHTS = 200_000

const config = {
  model_type: 'llama',
  vocab_size: 512,
  hidden_size: 64,
  num_hidden_layers: 1,
  num_attention_heads: 8,
  num_key_value_heads: 2,
  max_position_embeddings: 512,
}

/** A repository with an fp32 and a 4-bit graph, the latter with its weights in a file of their own. */
export function modelRepo(more: Partial<FakeRepo> = {}): FakeRepo {
  return {
    commit: COMMIT,
    ...more,
    files: {
      '.gitattributes': '*.onnx filter=lfs\n',
      'README.md': '---\nlicense: apache-2.0\n---\n# A model\n',
      'config.json': JSON.stringify(config),
      'generation_config.json': JSON.stringify({ eos_token_id: [2] }),
      'tokenizer.json': JSON.stringify({ version: '1.0', model: { type: 'BPE', vocab: {}, merges: [] } }),
      'tokenizer_config.json': '{}',
      'onnx/model.onnx': onnxBytes({ inside: 50_000 }),
      'onnx/model_q4.onnx': {
        lfs: true,
        content: onnxBytes({
          operator: 'MatMulNBits',
          external: [{ location: 'model_q4.onnx_data', offset: 0, length: WEIGHTS }],
        }),
      },
      'onnx/model_q4.onnx_data': randomBytes(WEIGHTS),
      'pytorch_model.bin': Buffer.alloc(5000, 1),
      ...more.files,
    },
  }
}

/** What a 4-bit pull of `modelRepo` puts into a snapshot. */
export const PULLED = [
  'README.md',
  'config.json',
  'generation_config.json',
  'onnx/model_q4.onnx',
  'onnx/model_q4.onnx_data',
  'tokenizer.json',
  'tokenizer_config.json',
]

const folders: string[] = []
/** A folder of its own, removed when the tests of the file are done. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'spout-test-'))
  folders.push(folder)
  return folder
}

afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

/** Bytes of a blob in the partial files of the cache at `root`. */
export function partialBytes(root: string, etag: string): number {
  const blobs = join(root, 'models--org--name/blobs')
  const names = existsSync(blobs) ? readdirSync(blobs).filter((name) => name.startsWith(`${etag}.`)) : []
  return Math.max(0, ...names.map((name) => statSync(join(blobs, name)).size))
}

/** Patience of a test: quick to try again, and yet not so quick to give up that a busy machine fails it. */
export const IMPATIENT = {
  firstWaitMs: 5,
  longestWaitMs: 20,
  stallMs: 5000,
  answerMs: 5000,
  pollMs: 20,
  lockStaleMs: 6000,
  noticeMs: 100,
}

export interface Pulled {
  readonly notes: string[]
  readonly options: ResolveOptions
}

/** Options of a resolve against `hub` and a cache of its own, and what is noted meanwhile. */
export function pulling(hub: FakeHub, root: string, more: Partial<ResolveOptions> = {}): Pulled {
  const notes: string[] = []
  const options = {
    model: REPO,
    env: { HF_ENDPOINT: hub.url, HF_HUB_CACHE: root, HOME: root },
    patience: IMPATIENT,
    note: (text: string, level: string) => void (level === 'warning' && notes.push(text)),
    ...more,
  }
  return { notes, options }
}

export function pull(hub: FakeHub, root: string, more: Partial<ResolveOptions> = {}) {
  return resolveModel(pulling(hub, root, more).options)
}
