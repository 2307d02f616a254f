/** A model as anybody would run it: its own file, onnxruntime-node's own API, the likeliest id, one after another. */
import { InferenceSession, Tensor } from 'onnxruntime-node'

export interface PlainOptions {
  readonly prompt: readonly number[]
  readonly count: number
  /** Where the graph does not say it. */
  readonly headDim?: number | undefined
}

/** The ids that follow the prompt. */
export async function plainGreedy(path: string, options: PlainOptions): Promise<number[]> {
  const session = await InferenceSession.create(path, { intraOpNumThreads: 1, logSeverityLevel: 4 })
  const pasts = session.inputNames.filter((name) => name.startsWith('past'))
  let states: Record<string, Tensor> = Object.fromEntries(
    pasts.map((name) => [name, emptyPast(session, name, options.headDim)]),
  )
  const generated: number[] = []
  let ids = options.prompt
  for (let held = 0; generated.length < options.count; held += ids.length, ids = [generated.at(-1)!]) {
    if (held > options.prompt.length + options.count) break
    const feeds = { ...states, ...positionFeeds(session, ids, held) }
    const results = await session.run(feeds)
    states = Object.fromEntries(pasts.map((name) => [name, results[presentOf(name)] as Tensor]))
    generated.push(likeliestOfLast(results.logits as Tensor))
  }
  await session.release()
  return generated
}

/** Sizes that are names: one text, no tokens, the size of a head. */
function emptyPast(session: InferenceSession, name: string, headDim = 0): Tensor {
  const info = session.inputMetadata.find((each) => each.name === name)
  if (!info?.isTensor) throw new Error(`${name} is no tensor`)
  const dims = info.shape.map((size, i) => (typeof size === 'number' ? size : ([1, 0, 0][i] ?? headDim)))
  return new Tensor('float32', [], dims)
}

function positionFeeds(session: InferenceSession, ids: readonly number[], held: number) {
  const total = held + ids.length
  const all: Record<string, Tensor> = {
    input_ids: integers(ids),
    attention_mask: integers(Array.from({ length: total }, () => 1)),
    position_ids: integers(ids.map((_, i) => held + i)),
  }
  return Object.fromEntries(Object.entries(all).filter(([name]) => session.inputNames.includes(name)))
}

const integers = (numbers: readonly number[]): Tensor =>
  new Tensor('int64', BigInt64Array.from(numbers, BigInt), [1, numbers.length])

const presentOf = (past: string): string => past.replace('past_key_values', 'present')

function likeliestOfLast({ data, dims }: Tensor): number {
  const width = Number(dims.at(-1))
  const row = (data as Float32Array).slice(-width)
  return row.indexOf(row.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY))
}
