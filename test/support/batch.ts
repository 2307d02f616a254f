/** What tests of a batch have in common: records out of a text, and an engine without a model. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { InputFormat } from '../../src/batch/input-format.ts'
import { readLines } from '../../src/batch/line-reader.ts'
import { type InputRecord, openRecords } from '../../src/batch/records.ts'
import type { Engine, EngineResult } from '../../src/engine/engine.ts'
import type { GenerateRequest } from '../../src/engine/request.ts'

export async function* bytesOf(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text)
}

export async function recordsOf(text: string, format: InputFormat): Promise<InputRecord[]> {
  const { records } = await openRecords(readLines(bytesOf(text)), format)
  return collect(records)
}

/** Node 20 has no `Array.fromAsync`. */
export async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const each of source) all.push(each)
  return all
}

export interface ToyEngine extends Pick<Engine, 'generate'> {
  /** Every request, as it began. */
  readonly asked: GenerateRequest[]
  /** Most of them under way at once. */
  readonly most: number
}

export interface ToyEngineOptions {
  /** How long an answer takes, in turns of the event loop or, from 1000 on, in milliseconds over 1000. */
  readonly delay?: (request: GenerateRequest) => number
  /** The answer, or what is thrown. */
  readonly say?: (request: GenerateRequest) => string
}

/** Answers with the prompt and the seed, so that an answer tells which request it is of. */
export function toyEngine({ delay = () => 0, say = echo }: ToyEngineOptions = {}): ToyEngine {
  const asked: GenerateRequest[] = []
  let [running, most] = [0, 0]
  return {
    asked,
    get most() {
      return most
    },
    async generate(request, { sink, signal }): Promise<EngineResult> {
      asked.push(request)
      most = Math.max(most, ++running)
      try {
        await pause(delay(request))
        const text = say(request)
        if (!signal?.aborted) await sink.token(1, text)
        return resultOf(request, { text, isAborted: signal?.aborted === true })
      } finally {
        running--
      }
    },
  }
}

async function pause(turns: number): Promise<void> {
  if (turns >= 1000) return sleep(turns - 1000)
  for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate)
}

function echo({ messages, sampling }: GenerateRequest): string {
  return `${String(messages.at(-1)!.content)} (${sampling.seed})`
}

function resultOf(
  { sampling, maxTokens = 0 }: GenerateRequest,
  { text, isAborted }: { text: string; isAborted: boolean },
): EngineResult {
  return {
    finishReason: isAborted ? 'aborted' : 'stop',
    tokenIds: Array.from({ length: text.split(' ').length }, (_, i) => i),
    timings: {} as EngineResult['timings'],
    promptTokens: 7,
    keptTokens: 0,
    seed: sampling.seed ?? 0n,
    sampling,
    isChat: true,
    completionTokens: text.split(' ').length,
    lengthLimit: 'default',
    maxTokens,
  }
}
