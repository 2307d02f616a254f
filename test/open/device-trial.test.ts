import { existsSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Backend } from '../../src/backend/backend.ts'
import {
  type DeviceTrial,
  fasterOf,
  hasTrials,
  measure,
  readTrial,
  trialLines,
  writeTrial,
} from '../../src/open/device-trial.ts'
import { folderWith } from '../support/graph-file.ts'

const CPU = { load: 300, prefill: 100, step: 10 }
const GPU = { load: 900, prefill: 20, step: 4 }
const TRIAL: DeviceTrial = { device: 'Card', driver: 'one 1.0', faster: 'gpu', cpu: CPU, gpu: GPU }

function stored() {
  const folder = folderWith({ 'model.onnx': 'graph' })
  const key = { onnxPath: join(folder, 'model.onnx'), precise: false, runtimeVersion: '1' }
  writeTrial(folder, key, TRIAL)
  const [file] = readdirSync(join(folder, 'devices'))
  return { folder, key, path: join(folder, 'devices', file!) }
}

test('what was written is read for the same graph, and for no other', () => {
  const { folder, key } = stored()
  expect(readTrial(folder, key)).toMatchObject(TRIAL)
  expect(readTrial(folder, { ...key, precise: true })).toBeUndefined()
  expect(readTrial(folder, { ...key, runtimeVersion: '2' })).toBeUndefined()
  utimesSync(key.onnxPath, 1, 1)
  expect(readTrial(folder, key)).toMatchObject(TRIAL)
  writeFileSync(key.onnxPath, 'other')
  expect(readTrial(folder, key)).toBeUndefined()
})

test('without any trial nobody has to look further', () => {
  const folder = folderWith({ 'model.onnx': 'graph' })
  expect(hasTrials(folder)).toBe(false)
  expect(existsSync(join(folder, 'devices'))).toBe(false)
  expect(trialLines(folder, [join(folder, 'model.onnx')])).toEqual([])
})

test('a damaged file is as if it were not there', () => {
  const { folder, key, path } = stored()
  const whole = readFileSync(path)
  fc.assert(
    fc.property(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), (at, bits) => {
      const damaged = Buffer.from(whole)
      damaged[at]! ^= bits
      writeFileSync(path, damaged)
      const trial = readTrial(folder, key)
      if (trial !== undefined) expect(['cpu', 'gpu']).toContain(trial.faster)
      trialLines(folder, [key.onnxPath])
    }),
    { numRuns: 100 },
  )
  writeFileSync(path, '{"format":1,"faster":"gpu"}')
  expect(readTrial(folder, key)).toBeUndefined()
})

test('a line tells what an answer of 200 tokens takes on both', () => {
  const { folder, key } = stored()
  expect(trialLines(folder, [key.onnxPath])).toEqual(['gpu; Card: 1.72 s an answer, processor: 2.4 s'])
  writeTrial(folder, key, { device: 'Card', driver: '', faster: 'cpu', cpu: CPU, why: 'gpu: lost' })
  expect(trialLines(folder, [key.onnxPath])).toEqual(['cpu; Card: gpu: lost'])
})

test('the card is chosen only where the whole answer comes clearly sooner', () => {
  expect(fasterOf(CPU, GPU)).toBe('gpu')
  expect(fasterOf(CPU, CPU)).toBe('cpu')
  expect(fasterOf(CPU, { ...GPU, load: 1600 })).toBe('cpu')
  expect(fasterOf(CPU, { ...CPU, step: 9.5 })).toBe('cpu')
})

test('measuring counts loading, a prompt and steps, the first round apart, and closes what it opened', async () => {
  let [clock, runs, open] = [0, 0, 0]
  const backend = {
    contextLength: 1000,
    vocabSize: 50,
    createCache: () => ({ dispose() {} }),
    forward: async (ids: Int32Array) => {
      runs++
      // The first prompt and its steps take ten times as long.
      clock += (ids.length === 1 ? 3 : ids.length) * (runs <= 33 ? 10 : 1)
    },
    dispose: async () => {
      open--
    },
  } as unknown as Backend
  const times = await measure(
    async () => {
      open++
      clock += 70
      return backend
    },
    () => clock,
  )
  expect(times).toEqual({ load: 70, prefill: 128, step: 3 })
  expect(open).toBe(0)
})
