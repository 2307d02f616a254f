/** How models mark what they think aloud. */
import type { Tokenizer } from '../tokenizer/tokenizer.ts'

/** The strings around a block at the beginning of what a model says. */
export interface ThinkMarkers {
  readonly open: string
  readonly close: string
  /** Some families mark the answer as well: its markers are no text either. Default: reasoning. */
  readonly channel?: 'reasoning' | 'answer'
  /** What tells that a model uses them, in its template or as a token; default: either string, in its template. */
  readonly sign?: string
  /** Nobody would begin an answer so: they count although the template does not mention them. */
  readonly unmistakable?: boolean
}

/** The channels of gpt-oss, which follow one another as messages of their own. */
const HARMONY: readonly ThinkMarkers[] = [
  ['analysis', 'reasoning'],
  ['commentary', 'reasoning'],
  ['final', 'answer'],
].flatMap(([name, channel]) =>
  ['<|start|>assistant<|channel|>', '<|channel|>'].map((lead) => ({
    open: `${lead}${name}<|message|>`,
    close: '<|end|>',
    channel: channel as 'reasoning' | 'answer',
    sign: '<|channel|>',
  })),
)

/** Pairs that models in use write. */
export const THINK_MARKERS: readonly ThinkMarkers[] = [
  { open: '<think>', close: '</think>' },
  { open: '<thinking>', close: '</thinking>' },
  { open: '<reasoning>', close: '</reasoning>' },
  { open: '<thought>', close: '</thought>' },
  { open: '<seed:think>', close: '</seed:think>' },
  { open: '[THINK]', close: '[/THINK]' },
  { open: '<|START_THINKING|>', close: '<|END_THINKING|>', unmistakable: true },
  { open: '◁think▷', close: '◁/think▷', unmistakable: true },
  { open: '<|begin_of_thought|>', close: '<|end_of_thought|>', unmistakable: true },
  {
    open: '<|begin_of_solution|>',
    close: '<|end_of_solution|>',
    channel: 'answer',
    unmistakable: true,
  },
  { open: '<|inner_prefix|>', close: '<|inner_suffix|>', unmistakable: true },
  { open: 'Here is my thought process:', close: 'Here is my response:' },
  ...HARMONY,
]

/** The pairs that a model knows, by its chat template and its tokens; `<think>` when they tell of none. */
export function thinkMarkersOf(
  templateSource: string,
  tokenizer?: Pick<Tokenizer, 'tokenToId'>,
): readonly ThinkMarkers[] {
  const isMentioned = ({ open, close, sign }: ThinkMarkers): boolean => {
    if (sign === undefined) return templateSource.includes(open) || templateSource.includes(close)
    return templateSource.includes(sign) || tokenizer?.tokenToId(sign) !== undefined
  }
  const mentioned = THINK_MARKERS.filter(isMentioned)
  const known = mentioned.length > 0 ? mentioned : THINK_MARKERS.slice(0, 1)
  return [...known, ...THINK_MARKERS.filter((m) => m.unmistakable && !known.includes(m))]
}

/** The pair whose opening marker ends a rendered prompt: the model goes on inside the block. */
export function openedBlock(prompt: string, markers = THINK_MARKERS): ThinkMarkers | undefined {
  const end = prompt.trimEnd()
  return markers.find((m) => end.endsWith(m.open))
}

/** The ids of special tokens that are markers, or parts of one: a stream must keep them, or their text never comes. */
export function markerIds(
  tokenizer: Pick<Tokenizer, 'specialTokens' | 'tokenToId'>,
  markers: readonly ThinkMarkers[],
): ReadonlySet<number> {
  const texts = markers.flatMap((m) => [m.open, m.close])
  const parts = tokenizer.specialTokens.filter(
    (token) => token !== '' && texts.some((text) => text.includes(token)),
  )
  return new Set(parts.map((token) => tokenizer.tokenToId(token)!))
}
