/** The table of `npm run bench:peers` has every arm that was measured. */
import { expect, test } from 'vitest'

const { markdown } = (await import(String(new URL('report.mjs', import.meta.url)))) as {
  markdown: (report: unknown) => string
}

/** A report of made-up samples: in two processes each, twice as slow for each arm as for the one before. */
function report(arms: readonly string[], shape = 'smollm2-135m'): string[] {
  const samples = Object.fromEntries(
    arms.map((arm, i) => [
      arm,
      [
        [2 ** i, 2 ** i],
        [2 ** i, 2 ** i],
      ],
    ]),
  )
  const results = {
    ...{ load: {}, rss: {}, longRss: {}, failures: {}, versions: { spout: { spout: '0.1.0' } } },
    ...{ prefill: { 128: samples }, decode: { 128: samples } },
    ids: { 128: Object.fromEntries(arms.map((arm) => [arm, [1, 2]])) },
  }
  return markdown({
    ...{
      machine: { cpu: 'a processor', cpus: 2, memory: '1 GiB', system: 'Linux', node: 'v20' },
      command: 'x',
    },
    loads: { date: '2026-01-01', before: [0], after: [0] },
    options: { threads: 2, processes: 2, rounds: 1, tokens: 32, prefillRounds: 1, freshRounds: 0, seed: 1 },
    shapes: { [shape]: { results, sizes: { kvBytes: 1, vocab: 1 } } },
  }).split('\n')
}

const ARMS = [
  'spout',
  'spout#avx-vnni',
  'spout#avx2',
  'spout#none',
  'bare-c-api',
  'node-llama-cpp',
  'spout#new',
]

test('a column for each, limited instruction sets and arms without a name of their own among them', () => {
  const head = report(ARMS).find((line) => line.startsWith('|  | spout'))!
  expect(
    head
      .split('|')
      .map((cell) => cell.trim())
      .slice(2, -1),
  ).toEqual([
    'spout',
    'spout, AVX-VNNI',
    'spout, AVX2',
    "spout, ONNX Runtime's kernels",
    'bare C API',
    'node-llama-cpp',
    'spout#new',
  ])
})

test('what is wanted without AVX-512 is that of the shape', () => {
  const wanted = (shape: string) =>
    report(ARMS, shape).filter((line) => line.startsWith('| spout, AVX2 | node-llama-cpp | decode'))
  expect(wanted('smollm2-135m')).toEqual([expect.stringMatching(/\| ≥ 1\.5 \| 8\.000 \| .* \| met \|$/)])
  expect(wanted('qwen2.5-0.5b')).toEqual([expect.stringMatching(/\| ≥ 1\.4 \|/)])
})

test('met is said only where the interval clears what is wanted', () => {
  const lines = report(['node-llama-cpp', 'spout'])
  expect(lines.filter((line) => /^\| spout \| node-llama-cpp \| decode/.test(line))).toEqual([
    expect.stringContaining('not met'),
  ])
})
