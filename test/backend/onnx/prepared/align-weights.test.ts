/** Weights of an optimized graph, each moved to the beginning of a page: the bytes are the same. */
import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { alignWeights } from '../../../../src/backend/onnx/prepared/align-weights.ts'
import { readSkeleton } from '../../../../src/onnx-file/graph-file.ts'
import type { Reference } from '../../../../src/onnx-file/weight-files.ts'
import { temporaryFolder } from '../../../support/model-repo.ts'
import { onnxBytes } from '../../../support/tiny-onnx.ts'

/** More than is copied at once. */
const LONG = 9_000_001

test('also of a tensor that is copied in several pieces', () => {
  const folder = temporaryFolder()
  const path = join(folder, 'model.onnx')
  const data = randomBytes(LONG + 1000)
  const [offset, length] = [907, LONG]
  writeFileSync(path, onnxBytes({ external: [{ location: 'model.onnx.data', offset, length }] }))
  writeFileSync(`${path}.data`, data)
  alignWeights(path)
  expect(readdirSync(folder).sort()).toEqual(['model.onnx', 'model.onnx.data'])
  const found: Reference[] = []
  readSkeleton(path, { resolve: (reference) => found[found.push(reference) - 1]! })
  expect(found).toMatchObject([{ location: 'model.onnx.data', offset: '0', length: String(LONG) }])
  const moved = readFileSync(`${path}.data`)
  expect(moved.subarray(0, LONG).equals(data.subarray(offset, offset + length))).toBe(true)
})
