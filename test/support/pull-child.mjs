// A process of its own that resolves one model with the built code: node pull-child.mjs '<ResolveOptions as JSON>'
// It ends with one line of JSON: what was resolved, or the error.
import { resolveModel } from '../../dist/hub-cache/resolve-model.js'

const options = JSON.parse(process.argv[2])
const notes = []
const note = (text, level) => level === 'warning' && notes.push(text)
try {
  process.stdout.write('ready\n')
  const model = await resolveModel({ ...options, env: process.env, note })
  process.stdout.write(`${JSON.stringify({ model, notes })}\n`)
} catch (error) {
  const { code, message, hint, stack } = error
  process.stdout.write(`${JSON.stringify({ error: { code, message, hint, stack }, notes })}\n`)
  process.exitCode = error.exitCode ?? 70
}
