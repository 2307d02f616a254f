import type { CachedSnapshot } from '../../hub-cache/scan-cache.ts'
import type { ModelDescription } from '../../open/describe-model.ts'
import { bytesText } from '../../system/quantities.ts'
import { escapeText } from '../../system/text-display.ts'

// Models as text for people and as JSON for programs.

/** What to type to get this snapshot. */
export function nameOf({ repo, refs, commit }: CachedSnapshot): string {
  if (refs.includes('main')) return repo
  return `${repo}@${refs[0] ?? commit}`
}

export function snapshotJson(snapshot: CachedSnapshot): object {
  const { repo, commit, refs, dtypes, size, lastUsed, folder, files } = snapshot
  const last_used = lastUsed > 0 ? new Date(lastUsed).toISOString() : null
  return { id: repo, revision: commit, refs, dtypes, size, files: files.length, last_used, folder }
}

/** A model, and a line about each prepared graph of it. */
export interface ShownModel extends ModelDescription {
  readonly prepared: readonly string[]
}

export function descriptionJson(d: ShownModel): object {
  return {
    id: d.id,
    revision: d.revision ?? null,
    folder: d.folder,
    architecture: d.architecture ?? null,
    context_length: d.contextLength ?? null,
    kv_bytes_per_token: d.kvBytesPerToken ?? null,
    chat_template: d.hasChatTemplate,
    licence: d.licence ?? null,
    graphs: d.graphs,
    prepared: d.prepared,
  }
}

export function descriptionText(d: ShownModel): string {
  const unknown = 'not known'
  const lines: [string, string][] = [
    ['model', d.id],
    ['revision', d.revision ?? 'a folder'],
    ['architecture', d.architecture ?? unknown],
    ['context', d.contextLength === undefined ? unknown : `${d.contextLength} tokens`],
    ['KV cache', d.kvBytesPerToken === undefined ? unknown : `${bytesText(d.kvBytesPerToken)} per token`],
    ['chat template', d.hasChatTemplate ? 'yes' : 'no'],
    ['licence', d.licence ?? unknown],
    ...d.graphs.map(({ dtype, file, size }): [string, string] => [
      `dtype ${dtype}`,
      `${bytesText(size)}  ${file}`,
    ]),
    ...d.prepared.map((line): [string, string] => ['prepared', line]),
    ['folder', d.folder],
  ]
  return lines.map(([name, value]) => `${`${name}:`.padEnd(15)} ${escapeText(value)}\n`).join('')
}

/** Rows of cells as aligned lines. */
export function tableText(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  const line = (row: readonly string[]) => row.map((cell, column) => escapeText(cell).padEnd(widths[column]!))
  return rows.map((row) => `${line(row).join('  ').trimEnd()}\n`).join('')
}

/** A date as in 2026-11-23; `-` where the file system does not tell. */
export function day(time: number): string {
  return time > 0 ? new Date(time).toISOString().slice(0, 10) : '-'
}
