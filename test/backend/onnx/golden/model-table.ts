/** The tables of docs/models.md: a row per graph, made of what the graph declares and what the tests compare. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { FeedPlan } from '../../../../src/backend/onnx/plan/feed-plan.ts'
import { NUM_LOGITS_TO_KEEP } from '../../../../src/graph-passes/keep-last-rows.ts'
import { readGraphFile } from '../../../../src/onnx-file/graph-file.ts'
import type { GoldenFile } from '../../../support/golden-models.ts'

const DOCS = join(import.meta.dirname, '../../../../docs/models.md')

/** With this in the environment a test writes its rows into the docs instead of comparing. */
export const writesTables = process.env.SPOUT_WRITE_TABLES !== undefined

interface TableRow {
  readonly family: string
  readonly path: string
  readonly name: string
  /** What of the golden ids is demanded. */
  readonly compared: string
}

/** What came of the comparison on each runtime: `equal`, or where it differed. */
export interface Outcome {
  readonly cApi: string
  readonly node: string
}

const EQUAL: Outcome = { cApi: 'equal', node: 'equal' }

export function goldenRow({ family, path, prompts }: GoldenFile): TableRow {
  const full = prompts.filter(({ certain, newIds }) => certain === newIds.length).length
  const rest = prompts.length - full
  const compared = rest === 0 ? `${full} in full` : `${full} in full, ${rest} by 8`
  return { family, path, name: path.split('/').slice(-3).join('/'), compared }
}

export function familyRow(family: string, path: string): TableRow {
  return { family, path, name: "transformers' exporter", compared: '3 in full' }
}

/** The row as the docs have it. */
export function rowText(row: TableRow, plan: FeedPlan, outcome: Outcome): string {
  const { family, path, name, compared } = row
  const dtype = /_(q4f16|q4|fp16|quantized)[_.]/.exec(path)?.[1]?.replace('quantized', 'q8') ?? 'fp32'
  const cells = [
    family,
    name,
    dtype,
    attentionOf(path, plan),
    inputsOf(path, plan),
    piecesOf(plan),
    backOf(plan),
  ]
  return `| ${[...cells, compared, outcome.cApi, outcome.node].join(' | ')} |`
}

/** Called where the ids have been found equal. Fails when docs/models.md has no such row. */
export function checkRow(row: TableRow, plan: FeedPlan): void {
  if (!existsSync(DOCS)) throw new Error('docs/models.md is missing')
  const rows = readFileSync(DOCS, 'utf8').split('\n').map(withoutPadding)
  expect(rows).toContain(withoutPadding(rowText(row, plan, EQUAL)))
}

/** The formatter aligns the columns. */
function withoutPadding(row: string): string {
  return row.replace(/ *\| */g, '|')
}

/** Puts `rows` between the two comments of that name. */
export function writeTable(name: string, rows: readonly string[]): void {
  const text = readFileSync(DOCS, 'utf8')
  const [start, end] = [`<!-- ${name} -->\n`, `<!-- end of ${name} -->`]
  const from = text.indexOf(start) + start.length
  const to = text.indexOf(end)
  if (from < start.length || to < from) throw new Error(`docs/models.md has no place for ${name}`)
  writeFileSync(DOCS, `${text.slice(0, from)}\n${HEADER}\n${rows.join('\n')}\n\n${text.slice(to)}`)
}

const HEADER = [
  '| family | graph | dtype | attention and states | inputs besides ids and mask | pieces | step back | ids compared | c-api | node |',
  '|---|---|---|---|---|---|---|---|---|---|',
].join('\n')

function attentionOf(path: string, { slots, hasCacheBranch, ropeSwitch, contextLength }: FeedPlan): string {
  const { opTypes } = readGraphFile(path)
  const rows = slots.filter((slot) => slot.kind === 'rows')
  const windows = slots.filter((slot) => slot.kind === 'window')
  const fixed = slots.filter((slot) => slot.kind === 'fixed')
  const packed = rows.find((slot) => slot.type === 'int8' || slot.type === 'uint8')
  return [
    rows.some((slot) => slot.inPlace) ? 'GQA, in place' : '',
    rows.some((slot) => !slot.inPlace) ? (opTypes.has('MultiHeadAttention') ? 'MHA' : 'Concat') : '',
    hasCacheBranch ? 'two graphs in an If' : '',
    packed === undefined ? '' : `${packed.type} cache`,
    windows.length > 0 ? `${windows.length} of window size` : '',
    ropeSwitch < contextLength ? `two rope tables (${ropeSwitch})` : '',
    fixed.length > 0 ? `${fixed.length} of fixed size` : '',
  ]
    .filter((part) => part !== '')
    .join(', ')
}

function inputsOf(path: string, plan: FeedPlan): string {
  const names = [
    plan.positionRows > 0 ? 'position_ids' : '',
    plan.hasCacheBranch ? 'use_cache_branch' : '',
    readGraphFile(path).inputs.includes(NUM_LOGITS_TO_KEEP) ? NUM_LOGITS_TO_KEEP : '',
  ].filter((name) => name !== '')
  return names.join(', ') || '–'
}

function piecesOf({ chunking, exactSplits }: FeedPlan): string {
  if (!exactSplits) return 'whole: int8 scales'
  return chunking === 'any' ? 'any' : 'first, then single'
}

function backOf({ slots }: FeedPlan): string {
  return slots.every((slot) => slot.kind === 'rows') ? 'free' : 'runs again'
}
