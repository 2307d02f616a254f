/** What the command line says that answers depend on: a run goes on with another's output only where all of it is equal. */
import { createHash } from 'node:crypto'
import type { Settings } from '../../batch/journal-entries.ts'
import { WHOLE } from '../../batch/shard.ts'
import { version } from '../version.ts'
import type { BatchJob } from './batch-job.ts'

export function settingsOf({ options, input, output, defaults, before, chatTemplate }: BatchJob): Settings {
  const { sampling = {}, stopStrings = [], templateArgs = {}, ...request } = defaults
  const { seed, logitBias, ...numbers } = sampling
  const { index, count } = options.shard ?? WHOLE
  return {
    spout: version(),
    input: input.format,
    output,
    with_input: options.withInput === true,
    order: options.unordered ? 'as finished' : 'input',
    shard: `${index}/${count}`,
    template: options.template?.source,
    file: digestOf(before),
    chat_template: digestOf(chatTemplate),
    template_args: templateArgs,
    stop: stopStrings,
    think: options.think ?? 'show',
    ...renamed({ ...request, ...numbers }),
    logit_bias: logitBias === undefined ? undefined : [...logitBias],
    seed: String(seed ?? 0n),
    seed_by: options.seedBy ?? 'content',
    created: createdAt(),
  }
}

/** Seconds since 1970: SOURCE_DATE_EPOCH, else 0, so that the same line is answered by the same bytes. */
export function createdAt(): number {
  const text = process.env.SOURCE_DATE_EPOCH ?? ''
  return /^\d{1,12}$/.test(text) ? Number(text) : 0
}

function digestOf(text: string | undefined): string | undefined {
  return text === undefined ? undefined : createHash('sha256').update(text).digest('hex').slice(0, 16)
}

/** `max_tokens` of `maxTokens`. */
function renamed(values: object): Settings {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`),
      value,
    ]),
  )
}
