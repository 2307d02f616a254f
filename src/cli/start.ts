/** What comes before the program: how its own code is loaded. */
export async function start(): Promise<void> {
  // A stack then names the sources, not the bundle.
  if (process.env.SPOUT_DEBUG === '1') process.setSourceMapsEnabled(true)
  const { main } = await import('./main.ts')
  await main()
}
