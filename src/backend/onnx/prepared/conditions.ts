/**
 * What a prepared graph depends on beside the model: packed weights have the layout of one version of ONNX Runtime on
 * one kind of processor. Anything else here, and it is prepared again.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { cpus } from 'node:os'

/** Rises when the patches of the graph or the record change. */
const FORMAT = 1

export interface Conditions {
  readonly runtimeVersion: string
  /** `precise`: the graph keeps its own accuracy level. */
  readonly precise: boolean
}

/** A short name that is equal exactly where a prepared graph may be shared. */
export function conditionsKey(
  { runtimeVersion, precise }: Conditions,
  processor = processorFeatures(),
): string {
  const facts = [FORMAT, runtimeVersion, precise, process.platform, process.arch, processor]
  return createHash('sha256').update(JSON.stringify(facts)).digest('hex').slice(0, 16)
}

function processorFeatures(): string {
  try {
    const info = readFileSync('/proc/cpuinfo', 'utf8')
    const line = /^(?:flags|Features)\s*:\s*(.*)$/m.exec(info)?.[1]
    if (line !== undefined) return line.split(/\s+/).sort().join(' ')
  } catch {
    // not Linux
  }
  return cpus()[0]?.model ?? 'unknown'
}
