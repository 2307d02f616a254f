import type { Stdout } from '../output/stdout.ts'
import type { Interrupts } from './interrupt.ts'

/** What a command is given of the process. */
export interface Context {
  readonly stdout: Stdout
  readonly interrupts: Interrupts
  /** Ends the process with this failure, whatever is still under way. */
  readonly giveUp: (failure: unknown) => void
  /** May it be said that the time is over? No, where another thread has said so and ends the process. */
  readonly timeIsOver: { mayTell: () => boolean }
}
