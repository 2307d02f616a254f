/** A backend that has nothing but a `forward`, as a runner. */
import type { Backend, Numerics, Part, Rows, Runner } from './backend.ts'

/** Several rows are made by as many forwards. */
export function runForward(backend: Pick<Backend, 'forward'>): Pick<Runner, 'run'> {
  return {
    async run(batch, signal) {
      const rows: Float32Array[] = []
      for (const part of batch) await append(part, rows)
      return rowsOf(rows)

      async function append({ sequence, ids, wanted }: Part, into: Float32Array[]): Promise<void> {
        const prompt = ids.length - Math.max(0, wanted - 1)
        for (let end = prompt; end <= ids.length; end++) {
          const { row } = await backend.forward(
            ids.subarray(end === prompt ? 0 : end - 1, end),
            sequence,
            signal,
          )
          // Valid until the next forward; the last one of a run needs no copy.
          if (wanted > 0) into.push(batch.length === 1 && end === ids.length ? row : row.slice())
        }
      }
    },
  }
}

/** What runs the texts of a backend, and what may be given to it at once. */
export function runnerOf(backend: Backend): Pick<Runner, 'run' | 'numerics'> {
  return backend.runner ?? { ...runForward(backend), numerics: numericsOf(backend) }
}

function numericsOf({ exactSplits, prefillChunk }: Backend): Numerics {
  const exact = { exactSplits, exactRows: false }
  return { ...exact, mostParts: 1, mostRows: prefillChunk, mostWanted: MOST_WANTED, fingerprint: '' }
}

/** Each row is a forward. */
const MOST_WANTED = 16

function rowsOf(rows: readonly Float32Array[]): Rows {
  return { count: rows.length, row: (i) => rows[i]! }
}
