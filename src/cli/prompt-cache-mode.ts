/** Which texts may be left on disk, as flags and settings say. */

/** Texts that lay in files; all; none, and nothing that is there is read. */
export const PROMPT_CACHE_MODES = ['files', 'all', 'off'] as const
export type PromptCacheMode = (typeof PROMPT_CACHE_MODES)[number]

interface Given {
  /** False after `--no-prompt-cache`. */
  readonly promptCache?: PromptCacheMode | false
  readonly keepPrompt?: boolean
}

export function promptCacheMode({ promptCache = 'files', keepPrompt }: Given): PromptCacheMode {
  if (keepPrompt) return 'all'
  return promptCache === false ? 'off' : promptCache
}
