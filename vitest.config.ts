import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

/** What measures time or memory, sends signals or watches a terminal: one file after another, when all else is done. */
const ALONE = [
  'test/cli/{bench,endings,prepare,signals,start,terminal}.test.ts',
  'test/backend/onnx/runtime/c-api.test.ts',
  'test/engine/soak.test.ts',
  'test/sampling/allocations.test.ts',
]

/** What leaves nothing behind in its process, and does not look at its memory: one runs many of these files. */
const PLAIN =
  'test/{backend/{,onnx/,onnx/!(runtime)/**/},{engine,generation,output,sampling,tokenizer}/**/}*.test.ts'

export default defineConfig({
  test: {
    testTimeout: 60_000,
    hookTimeout: 60_000,
    projects: [
      {
        extends: true,
        test: { name: 'plain', include: [PLAIN], exclude: ALONE, isolate: false, ...together() },
      },
      {
        extends: true,
        test: { name: 'apart', include: ['test/**/*.test.ts'], exclude: [PLAIN, ...ALONE], ...together() },
      },
      { extends: true, test: { name: 'alone', include: ALONE, maxWorkers: 1, sequence: { groupOrder: 1 } } },
    ],
  },
})

/** Vitest's own default leaves one core idle, which of two is half. */
function together() {
  return { maxWorkers: availableParallelism(), sequence: { groupOrder: 0 } }
}
