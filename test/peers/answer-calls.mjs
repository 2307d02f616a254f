/** The child's side of `arm-client.mjs`: messages `{ id, do, args }`, answered by `{ id, result }` or `{ id, error }`, until the parent goes. */
export function answerCalls(acts) {
  process.on('message', async ({ id, do: act, args }) => {
    try {
      process.send({ id, result: await acts[act](args) })
    } catch (error) {
      process.send({ id, error: error.stack ?? String(error) })
    }
  })
  process.on('disconnect', () => process.exit())
}
