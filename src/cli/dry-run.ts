/** `--dry-run`: what would run and what it needs, on stdout. */
import type { GenerateRequest } from '../engine/request.ts'
import { SpoutError } from '../errors.ts'
import { planRun, type RunPlan } from '../open/plan-run.ts'
import type { Context } from './context.ts'
import { engineOptions } from './engine-options.ts'
import { columns, type Row } from './help/columns.ts'
import type { Options } from './options.ts'

/** @throws SpoutError `data` or `os` after the report, when the run would fail with it. */
export async function dryRun(request: GenerateRequest, options: Options, context: Context): Promise<void> {
  const plan = await planRun(request, engineOptions(options, context))
  const isJson = options.json || options.jsonl
  await context.stdout.write(isJson ? `${JSON.stringify(planDocument(plan))}\n` : planText(plan))
  await context.stdout.flush()
  if (plan.obstacle === undefined) return
  throw plan.obstacle === 'context'
    ? new SpoutError('data', 'prompt: it does not fit the context', { hint: 'shorten the text' })
    : new SpoutError('os', 'memory: the model does not fit', { hint: 'a smaller model, or --dtype q4' })
}

function planText(plan: RunPlan): string {
  const { model, dtype, revision, promptTokens, isChat, contextLength, maxTokens } = plan
  const rows: Row[] = [
    ['model', `${model} (${dtype})${revision === undefined ? '' : ` at ${revision}`}`],
    ...plan.files.map(({ path, bytes }): Row => ['file', `${path} (${size(bytes)})`]),
    ['prompt', `${promptTokens} tokens, ${isChat ? 'through the chat template' : 'as plain text'}`],
    ['answer', maxTokens === 0 ? 'until it ends' : `at most ${maxTokens} tokens`],
    ['context', contextLength === undefined ? 'unknown' : `${contextLength} tokens`],
    ['memory', `${size(plan.weightBytes)} of weights, ${kvText(plan)}; ${size(plan.freeBytes)} are free`],
    ['fits', plan.obstacle === undefined ? 'yes' : `no: too large for the ${plan.obstacle}`],
  ]
  return `${columns(rows, Number.POSITIVE_INFINITY).replace(/^ {2}/gm, '')}\n`
}

function kvText({ kvBytes }: RunPlan): string {
  return kvBytes === undefined ? 'a KV cache of unknown size' : `${size(kvBytes)} of KV cache`
}

function planDocument(plan: RunPlan) {
  return {
    model: plan.model,
    revision: plan.revision ?? null,
    dtype: plan.dtype,
    files: plan.files,
    prompt_tokens: plan.promptTokens,
    max_tokens: plan.maxTokens,
    context_length: plan.contextLength ?? null,
    weight_bytes: plan.weightBytes,
    kv_bytes: plan.kvBytes ?? null,
    free_bytes: plan.freeBytes,
    fits: plan.obstacle === undefined,
  }
}

function size(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB']
  const unit = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10))
  return unit === 0 ? `${bytes} bytes` : `${(bytes / 2 ** (10 * unit)).toFixed(1)} ${units[unit]}`
}
