/** What keys and values depend on, as one text: two sessions of the same fingerprint make the same of the same ids. */
import { createHash } from 'node:crypto'
import { resolve } from 'node:path'
import { NUMERICS_VERSION } from '../../kernels/numerics/version.ts'
import { type FileState, stampsOf } from '../../system/file-state.ts'

interface FingerprintSource {
  /** Of ONNX Runtime, whose operators take part. */
  readonly runtimeVersion: string
  readonly precise: boolean
  readonly device: string
  /** The graph and its weights: by their content where it is known, else by size and times. */
  readonly files: readonly (string | FileState)[]
  /** Whatever else tells one graph from another that is made of the same files. */
  readonly changes: readonly string[]
}

/** Of a model that was prepared: the content of its files is known. */
export function preparedFingerprint(
  manifest: Pick<FingerprintSource, 'runtimeVersion' | 'precise' | 'changes'> & {
    readonly sources: readonly FileState[]
  },
): string {
  const { runtimeVersion, precise, changes, sources: files } = manifest
  return fingerprintOf({ runtimeVersion, precise, device: 'cpu', files, changes })
}

/** @throws what the file system says of a file. */
export function fingerprintOf({ files, ...rest }: FingerprintSource): string {
  const states = files.map((file) => {
    return typeof file === 'string' ? { path: resolve(file), ...stampsOf(file) } : file.sha256
  })
  return createHash('sha256')
    .update(JSON.stringify([NUMERICS_VERSION, rest, states]))
    .digest('hex')
}
