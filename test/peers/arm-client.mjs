/** The parent's hold on an arm's process: one request at a time, and an end to it whatever happens. */
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const PROCESS = fileURLToPath(new URL('arm-process.mjs', import.meta.url))

/** `label` names a column: an arm, and after a # its variant. `script` is what answers the calls. */
export function startArm(label, script = PROCESS) {
  const child = fork(script, [label], {
    stdio: ['ignore', 2, 2, 'ipc'],
    env: { ...process.env, ORT_DISABLE_TELEMETRY: '1' },
  })
  let pending
  let nextId = 0
  const exited = new Promise((resolve) => {
    child.once('exit', (code, signal) => {
      pending?.reject(new Error(`${label}: the process ended (${signal ?? code})`))
      pending = undefined
      resolve()
    })
  })
  child.on('message', ({ id, result, error }) => {
    if (pending?.id !== id) return
    const { resolve, reject } = pending
    pending = undefined
    if (error) reject(new Error(`${label}: ${error}`))
    else resolve(result)
  })

  return {
    label,
    call(act, args = {}) {
      return new Promise((resolve, reject) => {
        if (!child.connected) return reject(new Error(`${label}: the process is gone`))
        pending = { id: nextId++, resolve, reject }
        child.send({ id: pending.id, do: act, args })
      })
    },
    async stop() {
      if (child.connected) child.disconnect()
      const timer = setTimeout(() => child.kill('SIGKILL'), 5000)
      await exited
      clearTimeout(timer)
    },
  }
}
