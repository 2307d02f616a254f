import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

/** What measures time or memory, sends signals or watches a terminal: one file after another, when all else is done. */
const ALONE = [
  'test/cli/{bench,chat-screen,endings,prepare,signals,start,terminal}.test.ts',
  'test/backend/onnx/runtime/c-api.test.ts',
  'test/engine/soak.test.ts',
  'test/batch/memory.test.ts',
  'test/sampling/allocations.test.ts',
]

/** What leaves nothing behind in its process, and does not look at its memory: one runs many of these files. */
const PLAIN = [
  'test/*.test.ts',
  'test/{backend/{,onnx/,onnx/!(runtime)/**/},{batch,chat-template,generation,grammar,graph-passes,kernels,onnx-file,open,output,system,tokenizer}/**/}*.test.ts',
  'test/{engine/!(soak),sampling/!(allocations)}.test.ts',
  'test/bench/{before-arms,report,sample-file,schedule,statistics,verdict}.test.ts',
  'test/cli/{bench-plan,command-line-bytes,contract,download-progress,mistyped,models,prefill-text,program,readme}.test.ts',
  'test/{model/*,hub/hub-environment,hub-cache/resolve-model}.test.ts',
]

export default defineConfig({
  test: {
    reporters: ['default', './test/support/skip-report.ts', './test/support/contract-report.ts'],
    // Against what hangs; what takes long is told by the budgets of the tests themselves.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'plain',
          include: PLAIN,
          exclude: ALONE,
          isolate: false,
          setupFiles: 'test/support/keep-heap.ts',
          // Room for what is new: a seventh of the time of the tokenizers' files goes into collecting it otherwise.
          execArgv: ['--max-semi-space-size=64', '--min-semi-space-size=16'],
          ...together(),
        },
      },
      {
        extends: true,
        test: { name: 'apart', include: ['test/**/*.test.ts'], exclude: [...PLAIN, ...ALONE], ...together() },
      },
      { extends: true, test: { name: 'alone', include: ALONE, maxWorkers: 1, sequence: { groupOrder: 1 } } },
    ],
  },
})

/** Vitest's own default leaves one core idle, which of two is half. */
function together() {
  return { maxWorkers: availableParallelism(), sequence: { groupOrder: 0 } }
}
