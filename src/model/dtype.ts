import { SpoutError } from '../errors.ts'
import { DTYPES, type Dtype } from './resolved-model.ts'

// On the hub a graph's file name says how its weights are stored: `model` + suffix + `.onnx`, where no suffix
// means fp32 and `_quantized` is the old word for q8. Older repositories say `decoder_model_merged`.

/** A graph a repository or folder has. */
export interface GraphFile {
  /** Path below the repository, with forward slashes. */
  readonly path: string
  readonly dtype: Dtype
  /** The folder below the repository that holds this graph's config and tokenizer: '' is the repository itself. */
  readonly base: string
}

/** What `--dtype` takes. */
export type DtypeName = Dtype | 'auto'
/** The same; or all that will do, the best first. */
export type DtypeChoice = DtypeName | readonly Dtype[]

/** The end of a graph's file name, before `.onnx`. */
export const DTYPE_SUFFIX: Readonly<Record<Dtype, string>> = {
  fp32: '',
  fp16: '_fp16',
  q8: '_quantized',
  int8: '_int8',
  uint8: '_uint8',
  q4: '_q4',
  q4f16: '_q4f16',
  bnb4: '_bnb4',
}

/**
 * What `auto` takes on a CPU, best first: decoding is bound by the bytes of weights read per token, so 4-bit
 * is fastest and 8-bit next. 4-bit weights within fp16 are computed in fp32; all else of fp16 is emulated there, so fp32 goes
 * before it.
 */
export const CPU_ORDER: readonly Dtype[] = ['q4', 'q4f16', 'q8', 'int8', 'uint8', 'fp32', 'bnb4', 'fp16']

/** The same on a graphics card, which has arithmetic in half precision, and whose kernels know 4 bits best. */
export const GPU_ORDER: readonly Dtype[] = ['q4f16', 'q4', 'fp16', 'fp32', 'q8', 'int8', 'uint8', 'bnb4']
/** Not on a card without half precision. */
export const HALF_DTYPES: ReadonlySet<Dtype> = new Set(['q4f16', 'fp16'])

const STEMS = ['model', 'decoder_model_merged']

/** The dtype a standard graph's file name tells; `undefined` for any other file. */
export function dtypeOfFileName(name: string): Dtype | undefined {
  if (!name.endsWith('.onnx')) return undefined
  const stem = STEMS.find((s) => name.startsWith(s))
  if (stem === undefined) return undefined
  const suffix = name.slice(stem.length, -'.onnx'.length)
  return DTYPES.find((dtype) => DTYPE_SUFFIX[dtype] === suffix)
}

/** The graphs `choice` allows, the preferred first; of one dtype the order of `graphs` stands. */
export function rankGraphs(graphs: readonly GraphFile[], choice: DtypeChoice): GraphFile[] {
  const order = typeof choice !== 'string' ? choice : choice === 'auto' ? CPU_ORDER : [choice]
  return order.flatMap((dtype) => graphs.filter((graph) => graph.dtype === dtype))
}

/** The graph to use. Throws `not-found` listing the dtypes that are there. */
export function chooseGraph(graphs: readonly GraphFile[], choice: DtypeChoice, model: string): GraphFile {
  const best = rankGraphs(graphs, choice)[0]
  if (best !== undefined) return best
  if (graphs.length === 0) {
    throw new SpoutError('not-found', `${model}: no ONNX graph of a text model`, {
      hint: 'expected onnx/model*.onnx, model*.onnx or genai_config.json; look for the same model under onnx-community',
    })
  }
  const present = [...new Set(rankGraphs(graphs, 'auto').map((graph) => graph.dtype))]
  throw new SpoutError('not-found', `${model}: no file of dtype ${choice}`, {
    hint: `--dtype ${present.join(' | ')}`,
  })
}
