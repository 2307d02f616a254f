/** A graph as anybody would run it, with onnxruntime-node's own API: the logits of the last row after each run. */
import { InferenceSession, Tensor } from 'onnxruntime-node'

/** @param runs the ids of each run @throws what the runtime says, or Error for an input that is not known here. */
export async function plainRows(path, config, runs) {
  const session = await InferenceSession.create(path, {
    intraOpNumThreads: 1,
    logSeverityLevel: 4,
    enableMemPattern: false,
    extra: { session: { set_denormal_as_zero: '1' } },
  })
  try {
    const rows = []
    let states = Object.fromEntries(
      statesOf(session).map((name) => [name, firstState(session, name, config)]),
    )
    let held = 0
    for (const ids of runs) {
      const results = await session.run({ ...states, ...positions(session, ids, held) })
      held += ids.length
      states = Object.fromEntries(
        Object.keys(states).map((name) => [name, results[presentOf(name, session)]]),
      )
      const { data, dims } = results.logits
      rows.push(Float32Array.from(data.slice(-Number(dims.at(-1)))))
    }
    return rows
  } finally {
    await session.release()
  }
}

const POSITIONS = ['input_ids', 'attention_mask', 'position_ids']

function statesOf(session) {
  return session.inputNames.filter((name) => !POSITIONS.includes(name))
}

function presentOf(name, session) {
  const names = ['present', 'present_key_values'].map((word) => name.replace('past_key_values', word))
  const all = [...names, name.replace(/^input\./, 'output.')]
  return all.find((each) => each !== name && session.outputNames.includes(each))
}

function firstState(session, name, { kvHeads, headDim }) {
  const { shape, type } = session.inputMetadata.find((each) => each.name === name)
  if (presentOf(name, session) === undefined || type !== 'float32') throw new Error(`input ${name}`)
  const dims = shape.map((size, i) => (typeof size === 'number' ? size : [1, kvHeads, 0, headDim][i]))
  const axis = dims.indexOf(0)
  return new Tensor('float32', new Float32Array(axis < 0 ? dims.reduce((a, b) => a * b, 1) : 0), dims)
}

function positions(session, ids, held) {
  const total = held + ids.length
  const all = {
    input_ids: [...ids],
    attention_mask: Array.from({ length: total }, () => 1),
    position_ids: [...ids].map((_, i) => held + i),
  }
  const given = Object.entries(all).filter(([name]) => session.inputNames.includes(name))
  return Object.fromEntries(
    given.map(([name, list]) => [
      name,
      new Tensor('int64', BigInt64Array.from(list, BigInt), [1, list.length]),
    ]),
  )
}
