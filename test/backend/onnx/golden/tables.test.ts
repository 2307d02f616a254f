/** Writes the tables of docs/models.md: SPOUT_WRITE_TABLES=1 npx vitest run test/backend/onnx/golden/tables.test.ts */
import { test } from 'vitest'
import type { FeedPlan } from '../../../../src/backend/onnx/plan/feed-plan.ts'
import type { ModelConfig } from '../../../../src/model/resolved-model.ts'
import type { RuntimeChoice } from '../../../../src/onnx-runtime/open-runtime.ts'
import { familyModels } from '../../../support/family-models.ts'
import { type GoldenPrompt, goldenFiles, hasGoldenModels } from '../../../support/golden-models.ts'
import { continueGreedily, feed } from '../../../support/greedy.ts'
import { openModel } from '../../../support/open-onnx.ts'
import { familyRow, goldenRow, rowText, writesTables, writeTable } from './model-table.ts'

const MINUTES = 60_000

interface Compared {
  readonly path: string
  readonly config: ModelConfig | string
  readonly prompts: readonly GoldenPrompt[]
}

test.runIf(writesTables && hasGoldenModels)(
  'the golden files (needs SPOUT_WRITE_TABLES)',
  { timeout: 5 * MINUTES },
  async () => {
    const rows: string[] = []
    for (const golden of goldenFiles()) {
      const { plan, outcome } = await compare({ ...golden, config: golden.folder })
      rows.push(rowText(goldenRow(golden), plan, outcome))
    }
    writeTable('golden files', rows)
  },
)

test.runIf(writesTables)(
  'the exported families (needs SPOUT_WRITE_TABLES)',
  { timeout: 5 * MINUTES },
  async () => {
    const rows: string[] = []
    for (const { family, config, unpack, prompts } of familyModels()) {
      const path = unpack()
      const asked = prompts.map(({ ids, new_ids: newIds }, i) => {
        return { name: String(i), ids: Int32Array.from(ids), newIds, certain: newIds.length }
      })
      const { plan, outcome } = await compare({ path, config, prompts: asked })
      rows.push(rowText(familyRow(family, path), plan, outcome))
    }
    writeTable('exported families', rows)
  },
)

async function compare(asked: Compared) {
  const first = await outcomeOn('c-api', asked)
  const second = await outcomeOn('node', asked)
  return { plan: first.plan, outcome: { cApi: first.told, node: second.told } }
}

async function outcomeOn(runtime: RuntimeChoice, { path, config, prompts }: Compared) {
  const { backend, plan } = await openModel(path, { runtime, config })
  const told = (await differences(backend, prompts)).join(', ') || 'equal'
  await backend.dispose()
  return { plan, told } satisfies { plan: FeedPlan; told: string }
}

async function differences(
  backend: Awaited<ReturnType<typeof openModel>>['backend'],
  prompts: readonly GoldenPrompt[],
): Promise<string[]> {
  const found: string[] = []
  for (const { name, ids, newIds, certain } of prompts) {
    const cache = backend.createCache()
    const logits = await feed(backend, cache, ids)
    const made = await continueGreedily(backend, cache, { logits, count: certain })
    const at = made.findIndex((id, i) => id !== newIds[i])
    if (at >= 0) found.push(`${name} differs at ${at}`)
    cache.dispose()
  }
  return found
}
