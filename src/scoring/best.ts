/** The greatest of many, of which no more are kept than are asked for. */

interface Entry<T> {
  readonly item: T
  readonly score: number
  readonly order: number
}

export class Best<T> {
  readonly #most: number
  /** A heap: the least of those that are kept is first; of equal ones the one that came last. */
  readonly #kept: Entry<T>[] = []
  #came = 0

  /** @param most default: all */
  constructor(most = Number.POSITIVE_INFINITY) {
    this.#most = most
  }

  add(item: T, score: number): void {
    const entry = { item, score, order: this.#came++ }
    if (this.#kept.length < this.#most) {
      this.#kept.push(entry)
      this.#rise(this.#kept.length - 1)
    } else if (isLess(this.#kept[0]!, entry)) {
      this.#kept[0] = entry
      this.#sink()
    }
  }

  /** The greatest first, equal ones in the order in which they came. */
  sorted(): T[] {
    return [...this.#kept].sort((a, b) => (isLess(a, b) ? 1 : -1)).map(({ item }) => item)
  }

  #rise(at: number): void {
    for (let i = at; i > 0; ) {
      const parent = (i - 1) >> 1
      if (!isLess(this.#kept[i]!, this.#kept[parent]!)) return
      this.#swap(i, parent)
      i = parent
    }
  }

  #sink(): void {
    for (let i = 0; ; ) {
      let least = i
      for (const child of [2 * i + 1, 2 * i + 2])
        if (child < this.#kept.length && isLess(this.#kept[child]!, this.#kept[least]!)) least = child
      if (least === i) return
      this.#swap(i, least)
      i = least
    }
  }

  #swap(a: number, b: number): void {
    const entry = this.#kept[a]!
    this.#kept[a] = this.#kept[b]!
    this.#kept[b] = entry
  }
}

function isLess<T>(a: Entry<T>, b: Entry<T>): boolean {
  return a.score < b.score || (a.score === b.score && a.order > b.order)
}
