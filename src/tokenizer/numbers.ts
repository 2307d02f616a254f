/** A long row of whole numbers that cannot be changed, in one piece or in pages that come when they are first looked at. */
export class Numbers {
  readonly length: number
  readonly #pages: (NumberArray | undefined)[]
  /** Of an index: what it must be shifted by to be the number of its page, and the bits that are its place there. */
  readonly #shift: number
  readonly #mask: number
  readonly #load: (page: number) => NumberArray

  private constructor(length: number, { pages, shift, load }: Pages) {
    this.length = length
    this.#pages = pages
    this.#shift = shift
    this.#mask = 2 ** shift - 1
    this.#load = load
  }

  static of(array: NumberArray): Numbers {
    return new Numbers(array.length, { pages: [array], shift: 30, load: () => array })
  }

  /** @param shift a page has `2 ** shift` numbers; the last may have fewer. */
  static paged(length: number, shift: number, load: (page: number) => NumberArray): Numbers {
    const pages = new Array<NumberArray | undefined>(Math.ceil(length / 2 ** shift)).fill(undefined)
    return new Numbers(length, { pages, shift, load })
  }

  /** @param index from 0 to below `length`. */
  at(index: number): number {
    const page = index >> this.#shift
    return (this.#pages[page] ?? this.#fetch(page))[index & this.#mask]!
  }

  #fetch(page: number): NumberArray {
    const array = this.#load(page)
    this.#pages[page] = array
    return array
  }
}

export type NumberArray = Uint16Array | Int32Array

interface Pages {
  readonly pages: (NumberArray | undefined)[]
  readonly shift: number
  readonly load: (page: number) => NumberArray
}
