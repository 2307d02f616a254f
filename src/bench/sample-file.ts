/**
 * Samples on disk, one JSON document per line: first what was measured and where, then every sample as soon as it is taken, so
 * that a crash loses nothing but the line it was in. A file may hold several runs; the last one counts.
 */
import { appendFileSync } from 'node:fs'
import { SpoutError } from '../errors.ts'
import { outputError } from '../output/stdout.ts'
import { readRegular } from '../system/regular-file.ts'
import { toJson } from '../system/text-display.ts'
import type { Environment } from './environment.ts'
import type { Sample } from './sample.ts'

const FORMAT = 1

interface SampleFile {
  start(environment: Environment): void
  /** @param ids written with the first sample of each arm. */
  add(sample: Sample, ids: readonly number[]): void
}

export interface SavedRun {
  readonly environment: Environment
  readonly samples: readonly Sample[]
  readonly ids: ReadonlyMap<string, readonly number[]>
}

/** @throws SpoutError `output` when the file cannot be written: at once, not after the first sample. */
export function openSampleFile(path: string): SampleFile {
  const append = (line: string): void => {
    try {
      appendFileSync(path, line)
    } catch (cause) {
      throw outputError(path, cause)
    }
  }
  append(isCut(path) ? '\n' : '')
  const known = new Set<string>()
  return {
    start: (environment) => append(`${toJson({ kind: 'run', format: FORMAT, environment })}\n`),
    add(sample, ids) {
      append(`${toJson({ kind: 'sample', ...sample, ...(known.has(sample.arm) ? {} : { ids }) })}\n`)
      known.add(sample.arm)
    },
  }
}

/** Bytes of a file of samples. */
const LONGEST_FILE = 2 ** 29

/** Whether the last line has no end: what a crash has cut must not swallow the next one. */
function isCut(path: string): boolean {
  try {
    return !/(^|\n)$/.test(readRegular(path, { most: LONGEST_FILE }).toString())
  } catch {
    return false
  }
}

/** The last run of a file. @throws SpoutError `not-found`, or `data` where it holds none. */
export function loadSamples(path: string): SavedRun {
  const lines = readLines(path)
  const start = lines.findLastIndex((line) => line?.kind === 'run')
  if (start < 0) throw notSamples(path)
  const { environment, format } = lines[start] as unknown as { environment: Environment; format: number }
  if (format !== FORMAT || !Array.isArray(environment?.arms)) throw notSamples(path)
  const samples = lines.slice(start + 1).filter((line) => line?.kind === 'sample') as unknown as SavedSample[]
  if (!samples.every(isSample)) throw notSamples(path)
  const ids = samples.flatMap(({ arm, ids }) => (ids === undefined ? [] : [[arm, ids] as const]))
  return { environment, samples, ids: new Map(ids) }
}

type SavedSample = Sample & { readonly ids?: readonly number[] }
type Line = { readonly kind?: unknown } | undefined

function isSample({ arm, figures, idsHash }: SavedSample): boolean {
  const { requestMs } = figures ?? {}
  return (
    typeof arm === 'string' && typeof idsHash === 'string' && typeof requestMs === 'number' && requestMs > 0
  )
}

/** A line that was cut is `undefined`. */
function readLines(path: string): Line[] {
  let text: string
  try {
    text = readRegular(path, { most: LONGEST_FILE }).toString()
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new SpoutError(
      'not-found',
      `${path}: ${code === 'ENOENT' ? 'not found' : `cannot be read: ${code}`}`,
      { cause },
    )
  }
  return text.split('\n').map((line) => {
    try {
      return JSON.parse(line) as Line
    } catch {
      return undefined
    }
  })
}

function notSamples(path: string): SpoutError {
  return new SpoutError('data', `${path}: holds no samples`, { hint: 'a file that --bench-save has written' })
}
