/** What the tasks of one matmul are given: offsets in a struct of eight-byte fields. */
export const JOB = { input: 0, quantized: 8, weights: 16, output: 24, rows: 32 } as const
