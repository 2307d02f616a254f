/** Words of `--bench` that the table of flags must know, without loading what measures. A test compares the names of the arms. */
export const BENCH_FORMATS = ['md', 'json', 'csv', 'benchstat'] as const
export type BenchFormat = (typeof BENCH_FORMATS)[number]

export const ARM_NAMES = [
  'log-lines',
  'copied-tokenizer',
  'eos-by-string',
  'eos-by-vocabulary',
  'preview-text',
  'two-decodes',
  'set-penalty',
  'all',
  'node',
  'transformers.js',
  'drafts',
  'slower-5%',
] as const
