/**
 * Cuts are places in a text that no special token may span. A private-use character in each place carries them through
 * whatever is done to the text.
 */

/** A text, and the places in it. */
export interface CutText {
  readonly text: string
  /** Ascending offsets. */
  readonly cuts: readonly number[]
}

/** A private-use character that is not in the text. */
export function unusedCharacter(text: string): string {
  for (let code = 0xe000; code < 0xf900; code++) {
    const char = String.fromCharCode(code)
    if (!text.includes(char)) return char
  }
  throw new RangeError('every private-use character is in use')
}

/** Puts the mark into every place. */
export function putMarks(text: string, cuts: readonly number[], mark: string): string {
  let marked = ''
  let done = 0
  for (const cut of cuts) {
    marked += text.slice(done, cut) + mark
    done = cut
  }
  return marked + text.slice(done)
}

/** Takes the marks out and tells where they were. */
export function takeMarks(marked: string, mark: string): CutText {
  const parts = marked.split(mark)
  const cuts: number[] = []
  let length = 0
  for (const part of parts.slice(0, -1)) {
    length += part.length
    cuts.push(length)
  }
  return { text: parts.join(''), cuts }
}

/** Where cuts lie after an edit of the text; `undefined` when the edit joins what they part. */
export function cutsAfter(
  edit: (text: string) => string,
  text: string,
  cuts: readonly number[],
): readonly number[] | undefined {
  const mark = unusedCharacter(text)
  const edited = takeMarks(edit(putMarks(text, cuts, mark)), mark)
  return edited.text === edit(text) ? edited.cuts : undefined
}
