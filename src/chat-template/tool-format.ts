/** How a model writes calls of tools, as its chat template shows it what earlier calls look like. */

export interface ToolFormat {
  /** Before and after a call. */
  readonly open: string
  readonly close: string
  /** Between two calls; absent: the model makes one at a time. */
  readonly between?: string
  /** What the arguments of a call are called. */
  readonly argumentsKey: 'arguments' | 'parameters'
  /** Where an answer may have text as well. */
  readonly text: 'before' | 'instead'
}

/** As Hermes and Qwen write them. */
const MARKED: ToolFormat = {
  open: '<tool_call>\n',
  close: '\n</tool_call>',
  between: '\n',
  argumentsKey: 'arguments',
  text: 'before',
}
/** As Llama 3 does: the answer is the call. */
const BARE: ToolFormat = { open: '', close: '', argumentsKey: 'parameters', text: 'instead' }

/** `undefined` for a template that knows no tools, or writes them in a way that is not known here. */
export function toolFormatOf(source: string): ToolFormat | undefined {
  if (!/\btools\b/.test(source) || source.includes('<function=')) return undefined
  if (source.includes('<tool_call>') && /\barguments\\?":/.test(source)) return MARKED
  return /\{"name": "' \+/.test(source) && /"parameters": /.test(source) ? BARE : undefined
}
