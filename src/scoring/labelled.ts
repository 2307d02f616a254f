/** Labelled examples: a text, a tab, its label, a line each. */
import { SpoutError } from '../errors.ts'

export interface LabelledText {
  readonly text: string
  /** Its place among the labels. */
  readonly label: number
}

/**
 * The last tab of a line parts text and label. A first line whose label is `label` is a header; blank lines are left out.
 * @param labelOf the place of a label; -1 of one that is none
 * @throws SpoutError `data` that names the line
 */
export function parseLabelled(
  source: string,
  {
    name,
    labels,
    labelOf,
  }: { readonly name: string; readonly labels: readonly string[]; labelOf(word: string): number },
): LabelledText[] {
  const examples: LabelledText[] = []
  for (const [i, line] of source.split(/\r?\n/).entries()) {
    if (line.trim() === '') continue
    const at = line.lastIndexOf('\t')
    const word = line.slice(at + 1).trim()
    if (i === 0 && word.toLowerCase() === 'label') continue
    const label = at < 0 ? -1 : labelOf(word)
    if (label < 0) {
      const problem = at < 0 ? 'there is no tab' : `${JSON.stringify(word)} is none of ${labels.join(', ')}`
      throw new SpoutError('data', `${name}: line ${i + 1}: ${problem}`, { hint: 'a text, a tab, its label' })
    }
    examples.push({ text: line.slice(0, at), label })
  }
  if (examples.length < LEAST)
    throw new SpoutError('data', `${name}: ${examples.length} labelled lines are too few`, {
      hint: `at least ${LEAST}, and better some hundred`,
    })
  return examples
}

/** Fewer tell nothing. */
const LEAST = 10
