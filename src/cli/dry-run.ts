/** `--dry-run`: what would run and what it needs, on stdout. */
import type { GenerateRequest } from '../engine/request.ts'
import { SpoutError } from '../errors.ts'
import { planRun, type RunPlan } from '../open/plan-run.ts'
import {
  refusedLines,
  runsJson,
  runsText,
  samplingJson,
  samplingText,
  templateJson,
  templateText,
} from '../output/run-facts.ts'
import { bytesText } from '../system/quantities.ts'
import { escapeText, toJson } from '../system/text-display.ts'
import type { Context } from './context.ts'
import { engineOptions } from './engine-options.ts'
import { columns, type Row } from './help/columns.ts'
import type { Options } from './options.ts'

/** @throws SpoutError `data` or `os` after the report, when the run would fail with it. */
export async function dryRun(request: GenerateRequest, options: Options, context: Context): Promise<void> {
  const plan = await planRun(request, engineOptions(options, context, { readsPrompts: true }))
  const isJson = options.json || options.jsonl
  await context.stdout.write(isJson ? `${toJson(planDocument(plan))}\n` : planText(plan))
  await context.stdout.flush()
  if (plan.obstacle === undefined) return
  throw plan.obstacle === 'context'
    ? new SpoutError('data', 'prompt: it does not fit the context', { hint: 'shorten the text' })
    : new SpoutError('os', 'memory: the model does not fit', { hint: 'a smaller model, or --dtype q4' })
}

function planText(plan: RunPlan): string {
  const { model, dtype, revision, promptTokens, contextLength, maxTokens, runs } = plan
  const rows: Row[] = [
    ['model', `${escapeText(model)} (${dtype})${revision === undefined ? '' : ` at ${revision}`}`],
    ...plan.files.map(({ path, bytes }): Row => ['file', `${escapeText(path)} (${bytesText(bytes)})`]),
    ...(plan.bytesToFetch > 0
      ? [['download', `${bytesText(plan.bytesToFetch)} that are not cached yet`] as Row]
      : []),
    ['runs', runs === undefined ? 'known once it is cached' : runsText(runs)],
    ...(runs === undefined ? [] : refusedLines(runs).map((line): Row => ['', escapeText(line)])),
    ['template', templateText(plan)],
    ['sampling', samplingText(plan)],
    ['seed', plan.seed === undefined ? 'drawn for each run' : String(plan.seed)],
    ['prompt', `${promptTokens} tokens${onDiskText(plan)}`],
    ['answer', maxTokens === 0 ? 'until it ends' : `at most ${maxTokens} tokens`],
    ['context', contextLength === undefined ? 'unknown' : `${contextLength} tokens`],
    [
      'memory',
      `${bytesText(plan.weightBytes)} of weights, ${kvText(plan)}; ${bytesText(plan.freeBytes)} are free`,
    ],
    ['fits', plan.obstacle === undefined ? 'yes' : `no: too large for the ${plan.obstacle}`],
  ]
  return `${columns(rows, Number.POSITIVE_INFINITY).replace(/^ {2}/gm, '')}\n`
}

function onDiskText({ onDisk }: RunPlan): string {
  if (onDisk === undefined) return ''
  return onDisk.tokens === 0
    ? ', none of them on disk'
    : `, ${onDisk.tokens} of them on disk (${bytesText(onDisk.bytes)})`
}

function kvText({ kvBytes }: RunPlan): string {
  return kvBytes === undefined ? 'a KV cache of unknown size' : `${bytesText(kvBytes)} of KV cache`
}

function planDocument(plan: RunPlan) {
  return {
    model: plan.model,
    revision: plan.revision ?? null,
    dtype: plan.dtype,
    files: plan.files,
    runs: runsJson(plan.runs),
    template: templateJson(plan),
    sampling: samplingJson(plan.sampling),
    seed: plan.seed === undefined ? null : String(plan.seed),
    prompt_tokens: plan.promptTokens,
    cached_tokens: plan.onDisk?.tokens ?? null,
    max_tokens: plan.maxTokens,
    context_length: plan.contextLength ?? null,
    weight_bytes: plan.weightBytes,
    download_bytes: plan.bytesToFetch,
    kv_bytes: plan.kvBytes ?? null,
    free_bytes: plan.freeBytes,
    fits: plan.obstacle === undefined,
  }
}
