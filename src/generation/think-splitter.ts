import { StringMatcher } from './string-matcher.ts'
import { THINK_MARKERS, type ThinkMarkers } from './think-markers.ts'

export interface Segment {
  readonly channel: 'reasoning' | 'answer'
  readonly text: string
}

export interface ThinkSplitterOptions {
  readonly markers?: readonly ThinkMarkers[]
  /** The prompt already opened this block. */
  readonly opened?: ThinkMarkers | undefined
}

/**
 * Parts a stream of text into reasoning and answer. A block counts only where the answer has not begun, so that an answer
 * may speak about markers; a marker, and the line breaks that follow it, belong to neither. Half a marker never leaves.
 * Where the answer is a block as well, others may follow it.
 */
export class ThinkSplitter {
  readonly #markers: readonly ThinkMarkers[]
  #state: 'before' | 'block' | 'answer' = 'before'
  /** Of the block under way. */
  #channel: Segment['channel'] = 'reasoning'
  #marker: ThinkMarkers | undefined
  #closing: StringMatcher | undefined
  /** White space and perhaps the beginning of a marker, while nothing is decided. */
  #lead = ''
  #afterMarker = false

  constructor(options: ThinkSplitterOptions = {}) {
    this.#markers = options.markers ?? THINK_MARKERS.slice(0, 1)
    if (options.opened) this.#open(options.opened)
  }

  /** The answer has begun: everything from here on belongs to it, and need not pass through here. */
  get isInAnswer(): boolean {
    return this.#state === 'answer'
  }

  /** The block under way. */
  get block(): ThinkMarkers | undefined {
    return this.#state === 'block' ? this.#marker : undefined
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
    else emit(segments, this.#channel, this.#closing?.flush() ?? '')
    return segments
  }

  /** Reads some of `text`, and gives what it left. */
  #read(text: string, segments: Segment[]): string {
    if (this.#state === 'before') return this.#readLead(text, segments)
    if (this.#state === 'block') return this.#readBlock(text, segments)
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

  #readBlock(text: string, segments: Segment[]): string {
    const shown = this.#afterMarker ? withoutLineBreaks(text) : text
    if (shown === '') return ''
    this.#afterMarker = false
    emit(segments, this.#channel, this.#closing!.push(shown))
    if (this.#closing!.matched === undefined) return ''
    this.#state = 'before'
    this.#afterMarker = true
    return this.#closing!.rest
  }

  #open(marker: ThinkMarkers): void {
    this.#marker = marker
    this.#closing = new StringMatcher([marker.close])
    this.#state = 'block'
    this.#channel = marker.channel ?? 'reasoning'
    this.#afterMarker = true
  }
}

function withoutLineBreaks(text: string): string {
  return text.replace(/^[\r\n]+/, '')
}

function emit(segments: Segment[], channel: Segment['channel'], text: string): void {
  if (text !== '') segments.push({ channel, text })
}
