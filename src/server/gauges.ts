/** What is true just now, for the metrics. */
import type { EngineWork } from '../engine/engine.ts'
import type { Gauge } from './metrics.ts'
import type { Shelf } from './shelf.ts'
import type { WaitingLine } from './waiting-line.ts'

export async function gaugesOf(shelf: Shelf, { running, waiting }: WaitingLine): Promise<Gauge[]> {
  const engines = await shelf.engines()
  const sum = (of: keyof EngineWork): number => engines.reduce((total, { work }) => total + work[of], 0)
  const { loaded, evicted } = shelf.counts
  return [
    gauge('spout_texts_running', 'Texts given to the engine.', running),
    gauge('spout_texts_queued', 'Texts that wait for their turn.', waiting),
    gauge('spout_texts_open', 'Texts that hold keys and values.', sum('texts')),
    gauge('spout_texts_unopened', 'Texts that wait in the engine.', sum('waiting')),
    counter('spout_steps_total', 'Runs of the models that are loaded.', sum('steps')),
    counter('spout_rows_total', 'Token ids that were run by them.', sum('rows')),
    gauge('spout_models_loaded', 'Models that are loaded.', engines.length),
    counter('spout_model_loads_total', 'Models that were loaded.', loaded),
    counter('spout_model_evictions_total', 'Models that made room for another.', evicted),
    gauge('process_resident_memory_bytes', 'Resident memory.', process.memoryUsage.rss()),
  ]
}

function gauge(name: string, help: string, value: number): Gauge {
  return { name, help, value }
}

function counter(name: string, help: string, value: number): Gauge {
  return { name, help, value, kind: 'counter' }
}
