/** Weight formats as the hub names them. `auto` is a choice, not a format. */
export const DTYPES = ['fp32', 'fp16', 'q8', 'int8', 'uint8', 'q4', 'q4f16', 'bnb4'] as const
export type Dtype = (typeof DTYPES)[number]

/** A model whose files are all on this disk. */
export interface ResolvedModel {
  /** What the user would type to get it again: `org/name`, a folder, or the embedded model's name. */
  readonly id: string
  /** The commit of a hub snapshot; `undefined` for a folder. */
  readonly revision: string | undefined
  /** The folder that holds config.json and tokenizer.json. */
  readonly folder: string
  /** The graph, by its snapshot path (a symlink stays a symlink: external data is found beside it). */
  readonly onnxPath: string
  readonly dtype: Dtype
}

/** What config.json and generation_config.json say, checked. */
export interface ModelConfig {
  readonly modelType: string | undefined
  readonly vocabSize: number | undefined
  /** max_position_embeddings; `undefined` when the config names none. */
  readonly contextLength: number | undefined
  readonly hiddenSize: number | undefined
  readonly layers: number | undefined
  readonly attentionHeads: number | undefined
  readonly kvHeads: number | undefined
  /** `head_dim`, else hidden_size / num_attention_heads. */
  readonly headDim: number | undefined
  /** Every end id, the first being EOS; generation_config.json before config.json. */
  readonly eosTokenIds: readonly number[]
  /** The author's sampling, as generation_config.json has it. */
  readonly generation: Readonly<Record<string, unknown>>
  /** config.json as it is. */
  readonly raw: Readonly<Record<string, unknown>>
}
