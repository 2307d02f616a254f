import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { BeforeArm } from './before-arm.ts'

/**
 * `tokenizer.clone()` copied the vocabulary both ways round and the merges, strings and all. Strings of JavaScript are shared
 * by an ordinary copy; a structured clone copies them too.
 */
export const copiedTokenizer: BeforeArm = {
  name: 'copied-tokenizer',
  standsFor:
    'the tokenizer copied for every request: vocabulary, its inverse and merges, by structured clone',
  async open({ folder }) {
    const tables = readTables(folder)
    const held = { copy: tables }
    return {
      alter(parts) {
        held.copy = structuredClone(tables)
        return parts
      },
    }
  },
}

interface Tables {
  readonly ids: ReadonlyMap<string, number>
  readonly tokens: ReadonlyMap<number, string>
  /** As the file has them: pairs, or texts with a space between. */
  readonly merges: readonly unknown[]
}

function readTables(folder: string): Tables {
  const { model } = JSON.parse(readFileSync(join(folder, 'tokenizer.json'), 'utf8'))
  const entries = vocabEntries(model.vocab)
  return {
    ids: new Map(entries),
    tokens: new Map(entries.map(([token, id]) => [id, token])),
    merges: model.merges ?? [],
  }
}

/** Unigram models list their tokens, others map them to ids. */
function vocabEntries(vocab: Record<string, number> | [string, number][]): [string, number][] {
  return Array.isArray(vocab) ? vocab.map(([token], id) => [token, id]) : Object.entries(vocab)
}
