import { availableParallelism } from 'node:os'
import { basename } from 'node:path'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** What types into a terminal and looks at its screen: when all else is done. */
const ALONE = ['test/cli/{bench,chat-screen}.test.ts']

/** What takes longest begins first, so that one worker does not wait for the other at the end. */
const LONGEST = [
  'batch',
  'prepare',
  'run-facts',
  'receipt',
  'gpu-session',
  'run-bench',
  'structure',
  'output',
  'settings',
  'hub-download',
  'signals',
  'prompt',
  'kill',
  'own-attention',
]

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const place = LONGEST.indexOf(basename(moduleId, '.test.ts'))
      return place < 0 ? LONGEST.length : place
    }
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b))
  }
}

/** What leaves nothing behind in its process, and does not look at its memory: one runs many of these files. */
const PLAIN = [
  'test/*.test.ts',
  'test/{backend,chat-template,drafting,generation,grammar,graph-passes,kernels,onnx-file,open,output,prefix-cache,scheduler,scoring,system,tokenizer}/**/*.test.ts',
  'test/{batch/!(memory),engine/!(soak),sampling/!(allocations)}.test.ts',
  'test/bench/{before-arms,report,sample-file,schedule,statistics,verdict}.test.ts',
  'test/cli/{bench-plan,command-line-bytes,contract,download-progress,mistyped,models,prefill-text,program,readme}.test.ts',
  'test/{model/*,hub/{hub-environment,reach},hub-cache/{links,partial-file,plan-model,resolve-model},onnx-runtime/{ort-error,step-pace}}.test.ts',
]

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
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
