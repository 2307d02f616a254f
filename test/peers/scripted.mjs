/**
 * A backend whose text is written for it: after each real step the score of the id that comes next is raised, and the sampler finds
 * it there. Random weights choose nothing that anybody would write; what a step costs is the real thing.
 */
export const RAISED = 1e6

/** @param script { prompt: ids of the prompt, answer: ids }; may be changed between texts */
export function scriptedBackend(backend, script) {
  return withRunner(backend, (runner) => scripted(runner, script))
}

/** `backend` with another runner; its methods keep their own `this`. */
function withRunner(backend, change) {
  const runner = change(backend.runner)
  return new Proxy(backend, {
    get(target, name) {
      if (name === 'runner') return runner
      const value = target[name]
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

function scripted(runner, script) {
  const run = async (batch, signal) => {
    const next = batch.map(({ sequence, ids, wanted }) => sequence.length + ids.length - wanted + 1)
    const rows = await runner.run(batch, signal)
    let row = 0
    for (const [part, { wanted }] of batch.entries()) {
      for (let i = 0; i < wanted; i++) {
        const id = script.answer[next[part] + i - script.prompt]
        if (id !== undefined) rows.row(row)[id] = RAISED
        row++
      }
    }
    return rows
  }
  return new Proxy(runner, {
    get(target, name) {
      if (name === 'run') return run
      const value = target[name]
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
