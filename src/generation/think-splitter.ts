import type { Tokenizer } from '../tokenizer/tokenizer.ts'
import { StringMatcher } from './string-matcher.ts'

/** The strings around a reasoning block. */
export interface ThinkMarkers {
  readonly open: string
  readonly close: string
}

/** Pairs that chat templates in use know. */
export const THINK_MARKERS: readonly ThinkMarkers[] = [
  { open: '<think>', close: '</think>' },
  { open: '<thinking>', close: '</thinking>' },
  { open: '<reasoning>', close: '</reasoning>' },
  { open: '<thought>', close: '</thought>' },
  { open: '<seed:think>', close: '</seed:think>' },
  { open: '[THINK]', close: '[/THINK]' },
  { open: '<|START_THINKING|>', close: '<|END_THINKING|>' },
]

export interface Segment {
  readonly channel: 'reasoning' | 'answer'
  readonly text: string
}

/** The pairs that a chat template mentions; `<think>` when it mentions none. */
export function thinkMarkersOf(templateSource: string): readonly ThinkMarkers[] {
  const known = THINK_MARKERS.filter(
    (m) => templateSource.includes(m.open) || templateSource.includes(m.close),
  )
  return known.length > 0 ? known : THINK_MARKERS.slice(0, 1)
}

/** The pair whose opening marker ends a rendered prompt: the model goes on inside the block. */
export function openedBlock(prompt: string, markers = THINK_MARKERS): ThinkMarkers | undefined {
  const end = prompt.trimEnd()
  return markers.find((m) => end.endsWith(m.open))
}

/** The ids of markers that are special tokens: a stream must keep them, or their text never comes. */
export function markerIds(tokenizer: Tokenizer, markers: readonly ThinkMarkers[]): ReadonlySet<number> {
  const ids = markers.flatMap((m) => [tokenizer.tokenToId(m.open), tokenizer.tokenToId(m.close)])
  return new Set(ids.filter((id) => id !== undefined && tokenizer.isSpecial(id)) as number[])
}

export interface ThinkSplitterOptions {
  readonly markers?: readonly ThinkMarkers[]
  /** The prompt already opened this block. */
  readonly opened?: ThinkMarkers | undefined
}

/**
 * Parts a stream of text into reasoning and answer. A block counts only where the answer has not begun, so that an answer
 * may speak about markers; a marker, and the line breaks that follow it, belong to neither. Half a marker never leaves.
 */
export class ThinkSplitter {
  readonly #markers: readonly ThinkMarkers[]
  #state: 'before' | 'reasoning' | 'answer' = 'before'
  #closing: StringMatcher | undefined
  /** White space and perhaps the beginning of a marker, while nothing is decided. */
  #lead = ''
  #afterMarker = false

  constructor(options: ThinkSplitterOptions = {}) {
    this.#markers = options.markers ?? THINK_MARKERS.slice(0, 1)
    if (options.opened) this.#open(options.opened)
  }

  /** The answer has begun: everything from here on belongs to it, and need not pass through here. */
  get settled(): boolean {
    return this.#state === 'answer'
  }

  push(text: string): Segment[] {
    const segments: Segment[] = []
    let rest = text
    while (rest !== '') rest = this.#read(rest, segments)
    return segments
  }

  /** Text held back at the end. */
  flush(): Segment[] {
    const segments: Segment[] = []
    if (this.#state === 'before') this.#emitLead(segments)
    else emit(segments, 'reasoning', this.#closing?.flush() ?? '')
    return segments
  }

  /** Reads some of `text`, and gives what it left. */
  #read(text: string, segments: Segment[]): string {
    if (this.#state === 'before') return this.#readLead(text, segments)
    if (this.#state === 'reasoning') return this.#readReasoning(text, segments)
    emit(segments, 'answer', text)
    return ''
  }

  #readLead(text: string, segments: Segment[]): string {
    this.#lead += text
    const start = this.#lead.trimStart()
    const marker = this.#markers.find((m) => start.startsWith(m.open))
    if (marker) {
      this.#lead = ''
      this.#open(marker)
      return start.slice(marker.open.length)
    }
    if (this.#markers.some((m) => m.open.startsWith(start))) return ''
    this.#emitLead(segments)
    this.#state = 'answer'
    return ''
  }

  /** What looked like a marker and was none. */
  #emitLead(segments: Segment[]): void {
    emit(segments, 'answer', this.#afterMarker ? withoutLineBreaks(this.#lead) : this.#lead)
    this.#lead = ''
  }

  #readReasoning(text: string, segments: Segment[]): string {
    const shown = this.#afterMarker ? withoutLineBreaks(text) : text
    if (shown === '') return ''
    this.#afterMarker = false
    emit(segments, 'reasoning', this.#closing!.push(shown))
    if (this.#closing!.matched === undefined) return ''
    this.#state = 'before'
    this.#afterMarker = true
    return this.#closing!.rest
  }

  #open(marker: ThinkMarkers): void {
    this.#closing = new StringMatcher([marker.close])
    this.#state = 'reasoning'
    this.#afterMarker = true
  }
}

function withoutLineBreaks(text: string): string {
  return text.replace(/^[\r\n]+/, '')
}

function emit(segments: Segment[], channel: Segment['channel'], text: string): void {
  if (text !== '') segments.push({ channel, text })
}
