/** A backend that has nothing but a `forward`, as a runner. */
import type { Backend, Part, Rows, Runner } from './backend.ts'

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

function rowsOf(rows: readonly Float32Array[]): Rows {
  return { count: rows.length, row: (i) => rows[i]! }
}
