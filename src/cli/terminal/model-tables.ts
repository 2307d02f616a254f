import type { CachedSnapshot, Unfinished } from '../../hub-cache/scan-cache.ts'
import type { ModelDescription } from '../../open/describe-model.ts'
import { runsJson, runsText, samplingJson, samplingText } from '../../output/run-facts.ts'
import { bytesText } from '../../system/quantities.ts'
import { escapeText } from '../../system/text-display.ts'

// Models as text for people and as JSON for programs.

/** The dtypes of a snapshot, and those of which parts never came. */
export function dtypesText({ dtypes, lacking }: CachedSnapshot): string {
  const unfinished = lacking.map(({ dtype }) => dtype).filter((dtype) => !dtypes.includes(dtype))
  return [...dtypes, ...new Set(unfinished.map((dtype) => `${dtype} (unfinished)`))].join(' ') || '-'
}

export function unfinishedJson({ repo, bytes, lastWritten }: Unfinished): object {
  return { id: repo, revision: null, half_received: bytes, last_written: new Date(lastWritten).toISOString() }
}

export function snapshotJson(snapshot: CachedSnapshot): object {
  const { repo, commit, refs, dtypes, lacking, size, lastUsed, folder, files } = snapshot
  const last_used = lastUsed > 0 ? new Date(lastUsed).toISOString() : null
  const unfinished = [...new Set(lacking.map(({ dtype }) => dtype))]
  return {
    id: repo,
    revision: commit,
    refs,
    dtypes,
    unfinished,
    size,
    files: files.length,
    last_used,
    folder,
  }
}

/** A model, and a line about each prepared graph of it. */
export interface ShownModel extends ModelDescription {
  readonly prepared: readonly string[]
  /** Where the answer of a graph comes sooner from, one line each that was tried. */
  readonly device?: readonly string[]
}

export function descriptionJson(d: ShownModel): object {
  return {
    id: d.id,
    revision: d.revision ?? null,
    folder: d.folder ?? null,
    architecture: d.architecture ?? null,
    context_length: d.contextLength ?? null,
    kv_bytes_per_token: d.kvBytesPerToken ?? null,
    chat_template: d.hasChatTemplate ?? null,
    licence: d.licence ?? null,
    graphs: d.graphs,
    dtype: d.running?.dtype ?? null,
    runs: d.running === undefined || 'why' in d.running.runs ? null : runsJson(d.running.runs),
    sampling: d.running === undefined ? null : samplingJson(d.running.sampling),
    prepared: d.prepared,
    device: d.device ?? [],
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
    ['chat template', d.hasChatTemplate === undefined ? unknown : d.hasChatTemplate ? 'yes' : 'no'],
    ['licence', d.licence ?? unknown],
    ...d.graphs.map(({ dtype, file, size }): [string, string] => [
      `dtype ${dtype}`,
      `${bytesText(size)}  ${file}`,
    ]),
    ...(d.running === undefined ? [] : runningLines(d.running)),
    ...d.prepared.map((line): [string, string] => ['prepared', line]),
    ...(d.device ?? []).map((line): [string, string] => ['device', line]),
    d.folder === undefined ? ['cached', `no; spout models pull ${d.id}`] : ['folder', d.folder],
  ]
  return lines.map(([name, value]) => `${`${name}:`.padEnd(15)} ${escapeText(value)}\n`).join('')
}

/** What a run without further flags would be: its seed is drawn for each. */
function runningLines({ dtype, runs, sampling }: NonNullable<ShownModel['running']>): [string, string][] {
  const how = 'why' in runs ? `not: ${runs.why}` : runsText(runs)
  return [
    ['runs', `${dtype}, ${how}`],
    ['sampling', samplingText({ sampling })],
  ]
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
