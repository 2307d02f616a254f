import type { TokenSink } from '../../generation/token-sink.ts'
import type { Tokenizer } from '../../tokenizer/tokenizer.ts'
import { type BeforeArm, withTokenizer } from './before-arm.ts'

/** In place of the product's stream of text, not beside it: that one is given tokens without text, and has nothing to do. */
export const twoDecodes: BeforeArm = {
  name: 'two-decodes',
  standsFor: 'all ids decoded twice at every token, without and with the new one, to find what it adds',
  async open({ backend }) {
    const { tokenizer } = backend
    return {
      alter: ({ sampler, sink, ...parts }) => ({
        sampler,
        backend: withTokenizer(parts.backend, withoutText(tokenizer)),
        sink: decodingTwice(sink, tokenizer),
      }),
    }
  },
}

function decodingTwice(sink: TokenSink, tokenizer: Tokenizer): TokenSink {
  const ids: number[] = []
  return {
    token(id, _, logprobs) {
      const before = tokenizer.decode(ids)
      ids.push(id)
      const after = tokenizer.decode(ids)
      // Half of a character: it is told with the token that completes it.
      const text = after.endsWith('\uFFFD') ? '' : after.slice(before.replace(/\uFFFD+$/, '').length)
      return sink.token(id, text, logprobs)
    },
    lastPiece: (text) => sink.lastPiece(text),
  }
}

/** Every token is special, so that the product's stream leaves it out. */
function withoutText(tokenizer: Tokenizer): Tokenizer {
  return {
    vocabSize: tokenizer.vocabSize,
    pieces: tokenizer.pieces,
    specialTokens: tokenizer.specialTokens,
    encode: (text, options) => tokenizer.encode(text, options),
    decode: (ids, options) => tokenizer.decode(ids, options),
    tokenToId: (token) => tokenizer.tokenToId(token),
    idToToken: (id) => tokenizer.idToToken(id),
    isSpecial: () => true,
  }
}
