import type { Backend } from '../../backend/backend.ts'
import { type BeforeArm, type OpenBefore, withEachChoice } from './before-arm.ts'

export const eosByString: BeforeArm = {
  name: 'eos-by-string',
  standsFor: 'the EOS id looked up by its text for every token, in the tokenizer as it is',
  async open({ backend }) {
    const { tokenizer } = backend
    return comparing((text) => tokenizer.tokenToId(text), backend)
  },
}

/** What `get_vocab().get(eos)` did: the whole map was made anew to look one thing up. */
export const eosByVocabulary: BeforeArm = {
  name: 'eos-by-vocabulary',
  standsFor: 'the same, the whole vocabulary copied into a new map for each look-up',
  async open({ backend }) {
    const { tokenizer } = backend
    const ids = new Map<string, number>()
    for (let id = 0; id < tokenizer.vocabSize; id++) {
      const token = tokenizer.idToToken(id)
      if (token !== undefined) ids.set(token, id)
    }
    return comparing((text) => new Map(ids).get(text), backend)
  },
}

/** Ends nothing, as no arm here does: it finds out whether it would. */
function comparing(look: (text: string) => number | undefined, backend: Backend): OpenBefore {
  const text = eosText(backend)
  const seen = { ends: 0 }
  return {
    alter: (parts) => ({
      ...parts,
      sampler: withEachChoice(parts.sampler, (id) => {
        if (id === look(text)) seen.ends++
      }),
    }),
  }
}

/** A model without an end token is asked for one that it does not have: the look-up is the same. */
function eosText({ eosTokenId, tokenizer }: Backend): string {
  return (eosTokenId === undefined ? undefined : tokenizer.idToToken(eosTokenId)) ?? '</s>'
}
