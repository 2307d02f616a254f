/** What comes before the program: how its own code is loaded, and the library that takes longer than all of it. */
import { orNothing } from '../system/or-nothing.ts'
import { readRegular } from '../system/regular-file.ts'
import { ignoreHangup } from './background-job.ts'
import { isCommand } from './commands.ts'
import { configPath } from './config-path.ts'
import type { Ending } from './main.ts'
import { mayHaveWorker } from './worker/may-have-worker.ts'

export async function start(argv: readonly string[] = process.argv.slice(2), ending?: Ending): Promise<void> {
  // A stack then names the sources, not the bundle.
  if (process.env.SPOUT_DEBUG === '1') process.setSourceMapsEnabled(true)
  ignoreHangup()
  if (willGenerate(argv) && !mayHaveWorker()) await openLibrary()
  const { main } = await import('./main.ts')
  await main(argv, ending)
}

async function openLibrary(): Promise<void> {
  const { openLibrary } = await import('../open/start-engine.ts')
  await openLibrary()
}

/** Flags after which nothing is generated, or with another library, or elsewhere. */
const OTHERWISE = /^(-h|--help|-V|--version|--dry-run|--(runtime|engine)(=.*)?)$/

/** Of a configuration file that is looked into. */
const MOST_BYTES = 1 << 20

/** True when the command line looks like a prompt; whether it is right, its flags will tell. */
function willGenerate(argv: readonly string[]): boolean {
  return !isCommand(argv[0] ?? '') && !argv.some((word) => OTHERWISE.test(word)) && !isElsewhere()
}

/** A setting names a server that is to generate: what the setting says, the program reads itself. */
function isElsewhere(): boolean {
  if (process.env.SPOUT_ENGINE) return true
  const file = orNothing(() => readRegular(configPath(), { most: MOST_BYTES }).toString())
  return file !== undefined && /"engine"/.test(file)
}
