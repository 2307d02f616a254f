/** `--shard i/n`: every n-th record, from the i-th on. Long and short ones mix, and each keeps the number it has in the whole. */
import { SpoutError } from '../errors.ts'
import { quote } from '../system/text-display.ts'

export interface Shard {
  /** From 0. */
  readonly index: number
  readonly count: number
}

type Environment = Readonly<Record<string, string | undefined>>

export const WHOLE: Shard = { index: 0, count: 1 }
const MOST = 1_000_000

/** `i/n`, `auto`, or `auto/n` where the engine tells only which one it is. @throws SpoutError `usage`. */
export function parseShard(text: string, env: Environment = process.env): Shard {
  const [, index, count] = /^(\d{1,7}|auto)(?:\/(\d{1,7}))?$/.exec(text) ?? []
  if (index === 'auto') return shardOf(env, count === undefined ? undefined : Number(count))
  const shard = { index: Number(index), count: Number(count) }
  if (index !== undefined && count !== undefined && isShard(shard)) return shard
  throw new SpoutError('usage', `${quote(text, 40)} is not i/n with i from 0 to n - 1, auto or auto/n`, {
    hint: '--shard 0/4, 1/4, 2/4 and 3/4 are all of it',
  })
}

export function isIn({ index, count }: Shard, record: number): boolean {
  return record % count === index
}

interface JobEngine {
  readonly name: string
  /** The variable that says which job this is. */
  readonly index: string
  /** … how many there are. */
  readonly count?: string
  /** … or what the number of the first is. Default 0. */
  readonly first?: string | number
  /** … how far one number is from the next. Default 1. */
  readonly step?: string
}

/** How many there are, where the engine does not tell. */
const COUNT = 'SPOUT_SHARD_COUNT'

/** What hands out numbered jobs, and how it tells their numbers; the first whose variable is set counts. */
const JOB_ENGINES: readonly JobEngine[] = [
  {
    name: 'Slurm, an array',
    index: 'SLURM_ARRAY_TASK_ID',
    count: 'SLURM_ARRAY_TASK_COUNT',
    first: 'SLURM_ARRAY_TASK_MIN',
    step: 'SLURM_ARRAY_TASK_STEP',
  },
  { name: 'Kubernetes, an Indexed Job', index: 'JOB_COMPLETION_INDEX' },
  { name: 'AWS Batch, an array', index: 'AWS_BATCH_JOB_ARRAY_INDEX', count: 'AWS_BATCH_JOB_ARRAY_SIZE' },
  { name: 'Cloud Run, a job', index: 'CLOUD_RUN_TASK_INDEX', count: 'CLOUD_RUN_TASK_COUNT' },
  { name: 'SageMaker', index: 'SM_CURRENT_HOST', count: 'SM_HOSTS' },
  { name: 'GNU parallel', index: 'PARALLEL_SEQ', first: 1 },
  { name: 'Slurm, srun', index: 'SLURM_PROCID', count: 'SLURM_NTASKS' },
]

/**
 * @param count as the user gives it
 * @throws SpoutError `usage` where no engine says which shard this is, or what it says makes no sense.
 */
function shardOf(env: Environment, count?: number): Shard {
  const engine = JOB_ENGINES.find(({ index }) => env[index])
  if (engine === undefined) {
    const variables = JOB_ENGINES.map(({ index }) => index).join(', ')
    throw new SpoutError('usage', `auto: none of ${variables} is set`, { hint: '--shard i/n names it' })
  }
  const told = withHosts(env)
  const all = engine.count === undefined ? undefined : told[engine.count]
  if (count !== undefined && all && Number(all) !== count) {
    throw new SpoutError('usage', `auto/${count}: ${engine.count} is ${quote(all, 20)}`, {
      hint: 'jobs that are sent again in part need --shard i/n, as it was',
    })
  }
  const shard = { index: indexOf(told, engine), count: count ?? countOf(told, engine) }
  if (isShard(shard)) return shard
  const index = `${engine.index}=${quote(env[engine.index], 20)}`
  throw new SpoutError('usage', `auto: ${index} is none of ${shard.count} (${engine.name})`, {
    hint: '--shard i/n names it',
  })
}

function indexOf(env: Environment, engine: JobEngine): number {
  const { first = 0, step } = engine
  const start = typeof first === 'number' ? first : numberOf(env, first, engine)
  const width = step === undefined || !env[step] ? 1 : numberOf(env, step, engine)
  return (numberOf(env, engine.index, engine) - start) / width
}

function countOf(env: Environment, engine: JobEngine): number {
  const variable = engine.count !== undefined && env[engine.count] ? engine.count : COUNT
  return numberOf(env, variable, engine)
}

/** SageMaker tells the names of all hosts and of this one. */
function withHosts(env: Environment): Environment {
  try {
    const hosts: unknown = JSON.parse(env.SM_HOSTS ?? '')
    if (!Array.isArray(hosts)) return env
    const index = hosts.indexOf(env.SM_CURRENT_HOST)
    const known = index < 0 ? {} : { SM_CURRENT_HOST: String(index) }
    return { ...env, SM_HOSTS: String(hosts.length), ...known }
  } catch {
    return env
  }
}

function isShard({ index, count }: Shard): boolean {
  return Number.isInteger(index) && Number.isInteger(count) && index >= 0 && index < count && count <= MOST
}

function numberOf(env: Environment, name: string, { index }: JobEngine): number {
  const text = env[name]
  if (text !== undefined && /^\d{1,9}$/.test(text)) return Number(text)
  const what = text ? `is ${quote(text, 20)}, no number` : 'is not set'
  throw new SpoutError('usage', `auto: ${index} is set, but ${name} ${what}`, {
    hint: '--shard auto/n says how many there are, --shard i/n which one it is, too',
  })
}
