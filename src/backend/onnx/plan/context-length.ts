import type { ModelConfig } from '../../../model/resolved-model.ts'

/** Used when neither config nor graph says anything. */
const DEFAULT_CONTEXT = 2048

/** The smaller of what the config promises and what the graph has positions for. */
export function contextLength(config: ModelConfig, tableRows: number | undefined): number {
  const promised = configuredLength(config)
  return Math.min(promised ?? tableRows ?? DEFAULT_CONTEXT, tableRows ?? Number.POSITIVE_INFINITY)
}

/**
 * `max_position_embeddings`, stretched where the rope scaling says by how much and from what (yarn). The other
 * scalings either have their stretch in that number already (llama3, longrope, gemma3's linear) or do not say.
 */
function configuredLength({ contextLength: length, raw }: ModelConfig): number | undefined {
  const scaling = ropeScaling(raw)
  const factor = scaling?.factor
  const original = scaling?.original_max_position_embeddings
  if ((scaling?.rope_type ?? scaling?.type) !== 'yarn') return length
  if (typeof factor !== 'number' || typeof original !== 'number') return length
  const stretched = Math.floor(factor * original)
  return Number.isSafeInteger(stretched) && stretched > 0 ? Math.max(length ?? 0, stretched) : length
}

function ropeScaling(raw: ModelConfig['raw']): Readonly<Record<string, unknown>> | undefined {
  const text = (raw.text_config ?? raw) as Readonly<Record<string, unknown>>
  const scaling = text.rope_scaling ?? text.rope_parameters
  return typeof scaling === 'object' && scaling !== null
    ? (scaling as Readonly<Record<string, unknown>>)
    : undefined
}
