/** The files of a model that determine its answers, with their hashes. */
import { createHash } from 'node:crypto'
import { createReadStream, statSync } from 'node:fs'
import { join, posix, relative } from 'node:path'
import { weightNames } from '../model/check-model-files.ts'
import { SIDE_FILES } from '../model/graph-files.ts'
import type { ResolvedModel } from '../model/resolved-model.ts'
import { statusOf } from '../system/list-files.ts'
import type { ReceiptFile } from './receipt.ts'

/** Reads each file whole, once; about a second for a gigabyte. @throws the signal's reason when it aborts */
export async function hashModelFiles(
  { folder, onnxPath }: Pick<ResolvedModel, 'folder' | 'onnxPath'>,
  signal?: AbortSignal,
): Promise<ReceiptFile[]> {
  const graph = relative(folder, onnxPath).replaceAll('\\', '/')
  const weights = [graph, ...weightNames(onnxPath).map((name) => posix.join(posix.dirname(graph), name))]
  const beside = SIDE_FILES.filter((name) => statusOf(join(folder, name))?.isFile())
  const found: ReceiptFile[] = []
  for (const name of [...weights, ...beside]) {
    const path = join(folder, name)
    const role = weights.includes(name) ? 'weights' : roleOf(name)
    found.push({ name, role, bytes: statSync(path).size, sha256: await hashFile(path, signal) })
  }
  return found
}

function roleOf(name: string): ReceiptFile['role'] {
  if (name.startsWith('chat_template')) return 'template'
  return /^(tokenizer|special_tokens)/.test(name) ? 'tokenizer' : 'config'
}

async function hashFile(path: string, signal: AbortSignal | undefined): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20, ...(signal && { signal }) })) {
    hash.update(chunk)
  }
  return hash.digest('hex')
}
