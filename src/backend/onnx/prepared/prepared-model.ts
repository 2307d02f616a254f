/**
 * Prepared models: the patched and optimized graph with its weights packed for this processor, so that a later start
 * maps files instead of packing. `prepared/<content>-<conditions>/` holds graph and weights by the model's content;
 * `prepared/index/<name>.json` says, for a graph at a path, which of them it is, as long as nothing has changed.
 */
import { createHash } from 'node:crypto'
import { readFileSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import type { FeedPlan } from '../plan/feed-plan.ts'
import { isUnchanged, type Stamp } from './stamps.ts'

/** What one preparation left behind. */
export interface PreparedRecord {
  /** The model's files as they were: graph first. */
  readonly sources: readonly Stamp[]
  /** The prepared files as they were written: graph first. */
  readonly files: readonly Stamp[]
  readonly plan: FeedPlan
}

export const PREPARED_GRAPH = 'model.onnx'

export function preparedFolder(cacheFolder: string): string {
  return join(cacheFolder, 'prepared')
}

/** Where the record of the graph at `onnxPath` is, under these conditions. */
export function recordPath(cacheFolder: string, onnxPath: string, conditions: string): string {
  const name = createHash('sha256')
    .update(`${realpathSync(onnxPath)}\n${conditions}`)
    .digest('hex')
    .slice(0, 32)
  return join(preparedFolder(cacheFolder), 'index', `${name}.json`)
}

/** The record, if every file it names is as it was. A damaged or stale one counts as none. */
export function findPrepared(path: string): PreparedRecord | undefined {
  try {
    const record = JSON.parse(readFileSync(path, 'utf8')) as PreparedRecord
    return [...record.sources, ...record.files].every(isUnchanged) ? record : undefined
  } catch {
    return undefined
  }
}
