/**
 * Whether, to the last bit, each row of a model is what it would be alone: beside rows of other texts, in a prompt cut anywhere,
 * and one id at a time. Tried with fixed texts, the longest of which needs a second page.
 */
import type { Runner } from '../../backend.ts'
import type { KvSequence } from '../../kv.ts'
import { fixedIds } from './probe.ts'

/** Ids of the texts. */
const LENGTHS = [21, 7, 131] as const
/** Of how many of its last ids the logits are compared. */
const COMPARED = 4

/** Runs, each of the next ids of some texts: which text, and how many of its ids are done afterwards. */
type Schedule = readonly (readonly (readonly [text: number, end: number])[])[]

const ALONE: Schedule = LENGTHS.map((length, text) => [[text, length]])
const OTHERS: readonly Schedule[] = [
  // One id at a time, and in pieces.
  [
    ...Array.from({ length: 21 }, (_, i) => [[0, i + 1]] as const),
    [[1, 1]],
    [[1, 7]],
    [[2, 17]],
    [[2, 128]],
    [[2, 131]],
  ],
  // Pieces of prompts beside single ids.
  [
    [
      [0, 10],
      [1, 6],
    ],
    [
      [2, 100],
      [1, 7],
      [0, 11],
    ],
    [
      [0, 21],
      [2, 131],
    ],
  ],
  [
    [[2, 128]],
    [
      [2, 129],
      [0, 1],
      [1, 1],
    ],
    [
      [1, 3],
      [0, 18],
      [2, 130],
    ],
    [
      [0, 19],
      [1, 7],
      [2, 131],
    ],
    [[0, 21]],
  ],
]

/** @param runner of a graph whose rows may be of several texts */
export async function proveRows(runner: Runner): Promise<boolean> {
  const { vocabSize, contextLength } = runner.facts
  const texts = LENGTHS.map((length, n) => fixedIds(vocabSize, Math.min(length, contextLength), n))
  const expected = await results(runner, texts, ALONE)
  for (const schedule of OTHERS) {
    if (!Buffer.from(await results(runner, texts, schedule)).equals(expected)) return false
  }
  return true
}

/** Of each text, the logits of its last ids, and the keys and values of its full pages: as bytes. */
async function results(runner: Runner, texts: readonly Int32Array[], schedule: Schedule): Promise<Buffer> {
  const sequences = texts.map(() => runner.pool.open())
  const made = texts.map((): Buffer[] => [])
  try {
    for (const run of schedule) await compute(run)
    const pages = sequences.flatMap((sequence) => sequence.pages.flatMap(({ bytes }) => bytes))
    return Buffer.concat([...made.flat(), ...pages])
  } finally {
    for (const sequence of sequences) sequence.dispose()
  }

  async function compute(run: Schedule[number]): Promise<void> {
    const parts = run
      .map(([text, end]) => partOf(sequences[text]!, texts[text]!, end))
      .filter(({ ids }) => ids.length > 0)
    const rows = await runner.run(parts)
    let at = 0
    for (const { sequence, wanted } of parts) {
      const into = made[sequences.indexOf(sequence)]!
      for (let i = 0; i < wanted; i++) into.push(copyOf(rows.row(at++)))
    }
  }
}

function partOf(sequence: KvSequence, text: Int32Array, end: number) {
  const ids = text.subarray(sequence.length, end)
  const wanted = Math.min(ids.length, Math.max(0, sequence.length + ids.length - (text.length - COMPARED)))
  return { sequence, ids, wanted }
}

function copyOf({ buffer, byteOffset, byteLength }: Float32Array): Buffer {
  return Buffer.from(Buffer.from(buffer, byteOffset, byteLength))
}
