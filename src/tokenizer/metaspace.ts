import type { Step } from './tokenizer-json.ts'

/** Where a Metaspace step writes a space that the text has not. Older files say `add_prefix_space` instead. */
export function metaspacePrepends(step: Step): 'always' | 'first' | 'never' {
  if (step.prepend_scheme === 'first' || step.prepend_scheme === 'never') return step.prepend_scheme
  return step.prepend_scheme === undefined && step.add_prefix_space === false ? 'never' : 'always'
}
