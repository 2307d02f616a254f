/** What `spout models` does, once: its help, its completion and the check of its flags are made from this table. */
interface ModelsActionFacts {
  readonly summary: string
  /** Words after the action, as usage writes them. */
  readonly usage: string
  /** Flags that this action has beside those of all. */
  readonly flags: readonly string[]
}

export const MODELS_ACTIONS = {
  list: { summary: 'what is in the cache', usage: '', flags: ['--all'] },
  pull: {
    summary: 'download models, or bring them up to date',
    usage: '<model>...',
    flags: ['--dtype', '--repair'],
  },
  show: { summary: 'what a model is', usage: '<model>...', flags: ['--dtype'] },
  prepare: {
    summary: 'make a model ready to start quickly; without a name, the one that runs by default',
    usage: '[model...]',
    flags: ['--dtype', '--threads', '--precise', '--again', '--if-free'],
  },
  prune: { summary: 'remove what was prepared', usage: '', flags: ['--keep', '--dry-run'] },
  rm: { summary: 'remove models from the cache', usage: '<model>...', flags: ['--dry-run'] },
  verify: { summary: 'hash the files of models, of all when none is named', usage: '[model...]', flags: [] },
  path: { summary: 'the folder of a model', usage: '<model>...', flags: ['--dtype'] },
} as const satisfies Readonly<Record<string, ModelsActionFacts>>

export type ModelsAction = keyof typeof MODELS_ACTIONS

export function isModelsAction(word: string): word is ModelsAction {
  return Object.hasOwn(MODELS_ACTIONS, word)
}

/** Flags of every action. */
const EVERYWHERE = ['--json', '--cache-dir', '--offline', '--quiet', '--verbose', '--color']

/** Whether an action has a flag of this long name. */
export function takesFlag(action: ModelsAction, name: string): boolean {
  return [...EVERYWHERE, ...MODELS_ACTIONS[action].flags].includes(name)
}
