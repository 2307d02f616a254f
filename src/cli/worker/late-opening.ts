import type { OpenEngineOptions } from '../../open/open-options.ts'

/**
 * How a run opens its own engine in place of a worker that was lost: a signal is heard as before, since what is written already is
 * still to be handed over.
 */
export const late = (opening: OpenEngineOptions): OpenEngineOptions => ({ ...opening, onResolved: undefined })
