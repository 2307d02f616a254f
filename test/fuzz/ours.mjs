/** The same through our backend. */
import { loadSession } from '../../dist/backend/onnx/load-session.js'
import { OnnxBackend } from '../../dist/backend/onnx/onnx-backend.js'
import { openRuntime } from '../../dist/onnx-runtime/open-runtime.js'

const NO_TOKENIZER = { vocabSize: 0 }

/** @param options as of `loadSession` */
export async function ourRows(path, config, { runs, ...options }) {
  const runtime = await openRuntime('c-api')
  const loaded = await loadSession(runtime, path, config, { threads: 1, spinning: false, ...options })
  try {
    const backend = new OnnxBackend(loaded, NO_TOKENIZER, config)
    const cache = backend.createCache()
    const rows = []
    for (const ids of runs) rows.push((await backend.forward(Int32Array.from(ids), cache)).row.slice())
    cache.dispose()
    return rows
  } finally {
    await loaded.dispose()
  }
}

/** The first difference that matters, if any. */
export function difference(rows, expected, tolerance = 1e-3) {
  for (const [i, row] of rows.entries()) {
    const other = expected[i]
    if (other === undefined || row.length !== other.length)
      return `run ${i}: ${row.length} logits, not ${other?.length}`
    const largest = other.reduce((most, x) => (Number.isFinite(x) ? Math.max(most, Math.abs(x)) : most), 1e-3)
    const at = row.findIndex(
      (x, id) => !(Object.is(x, other[id]) || Math.abs(x - other[id]) <= tolerance * largest),
    )
    if (at >= 0) return `run ${i}, id ${at}: ${row[at]}, not ${other[at]}`
  }
  return undefined
}
