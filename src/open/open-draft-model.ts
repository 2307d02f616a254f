/** Loads the model whose choices are guesses for another. */
import type { Backend } from '../backend/backend.ts'
import { DraftModel } from '../drafting/draft-model.ts'
import type { EngineModel } from '../engine/engine.ts'
import { SpoutError } from '../errors.ts'
import type { Tokenizer } from '../tokenizer/tokenizer.ts'
import type { OpenEngineOptions } from './open-options.ts'

interface Opened {
  readonly backend: Backend
  readonly model: Pick<EngineModel, 'id'>
}

type Open = (options: OpenEngineOptions) => Promise<Opened>

/**
 * @param target whose text it guesses
 * @returns `undefined`, and a note that says why, where its guesses could change the text, or its states cannot go back
 * @throws SpoutError `usage` when the two have not one vocabulary; and as `openBackend` does
 */
export async function openDraftModel(
  target: Opened,
  options: OpenEngineOptions,
  open: Open,
): Promise<DraftModel | undefined> {
  const { draftModel: name = '', note } = options
  const unused = (why: string): undefined =>
    void note?.(`draft-model: it is not used: ${why} (spout models prepare may help)`, 'warning')
  if (target.backend.runner?.numerics.exactRows !== true)
    return unused(`rows of a run of ${target.model.id} depend on the rows beside them`)
  const own = { dtype: undefined, contextLength: undefined, chatTemplateFile: undefined, wantsChat: false }
  const { backend } = await open({ ...options, ...own, model: name, draftModel: undefined })
  try {
    checkVocabulary(target.backend.tokenizer, backend.tokenizer, name)
    const { runner, prefillChunk: chunk } = backend
    const { vocabSize } = target.backend.tokenizer
    if (runner?.pool.isPaged === true) return new DraftModel(runner, { chunk, vocabSize })
  } catch (error) {
    await backend.dispose()
    throw error
  }
  await backend.dispose()
  return unused(`the states of ${name} are not kept in pages`)
}

/** Id by id: two of one size may be two. */
function checkVocabulary(ours: Tokenizer, theirs: Tokenizer, name: string): void {
  const count = Math.min(ours.vocabSize, theirs.vocabSize)
  for (let id = 0; id < count; id++) {
    const [here, there] = [ours.idToToken(id), theirs.idToToken(id)]
    if (here === there) continue
    const words = `token ${id} is ${JSON.stringify(here)} in the model, ${JSON.stringify(there)} in ${name}`
    throw new SpoutError('usage', `draft-model: another vocabulary: ${words}`, {
      hint: 'a smaller model of the same family',
    })
  }
}
