/** The embeddings of a split model: a graph of its own in a file beside the decoder's. */
import { readdirSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { SpoutError } from '../../errors.ts'
import type { ModelConfig } from '../../model/resolved-model.ts'
import { readGraphFile } from '../../onnx-file/graph-file.ts'
import type { Runtime, Session } from '../../onnx-runtime/runtime.ts'
import { Embedder } from './embedder.ts'
import { type DecoderOptions, openGraph } from './open-decoder.ts'

interface EmbedderSource {
  readonly decoder: Session
  readonly decoderPath: string
  readonly config: ModelConfig
  readonly options: DecoderOptions
}

/** @throws SpoutError `not-found` when there is no such file, `config` when it is not one of embeddings. */
export async function openEmbedder(runtime: Runtime, source: EmbedderSource): Promise<Embedder> {
  const { decoder, decoderPath, config, options } = source
  const path = embeddingFile(decoderPath)
  const graph = readGraphFile(path)
  const { session } = await openGraph(runtime, { graph, path, options })
  try {
    const embedder = new Embedder(session, decoder, config)
    embedder.files = graph.files
    return embedder
  } catch (error) {
    await session.dispose()
    throw error
  }
}

/** `embed_tokens` beside the decoder, of the decoder's dtype or else of another. */
function embeddingFile(decoderPath: string): string {
  const folder = dirname(decoderPath)
  const suffix = /_(fp16|quantized|int8|uint8|q4|q4f16|bnb4)\.onnx$/.exec(decoderPath)?.[0] ?? '.onnx'
  const files = readdirSync(folder).filter((name) => /^embed_tokens\w*\.onnx$/.test(name))
  const name = files.find((file) => file === `embed_tokens${suffix}`) ?? files.sort()[0]
  if (name === undefined) {
    throw new SpoutError(
      'not-found',
      `model: ${basename(decoderPath)} wants embeddings, and embed_tokens.onnx is not there`,
      { hint: 'download the model again, with all its files' },
    )
  }
  return join(folder, name)
}
