/** Memory in regions with bounds: whatever an instruction reads or writes lies whole in one of them. */

export interface Region {
  readonly name: string
  readonly base: number
  readonly bytes: Uint8Array
  readonly view: DataView
  isWritable: boolean
}

/** From the base of one region to that of the next: no displacement leads from one into another. */
const APART = 2 ** 32

export class Memory {
  readonly #regions: Region[] = []
  #mark = 0

  /** `offset` bytes beyond a multiple of 64 unless told otherwise. */
  region(name: string, bytes: Uint8Array | number, { isWritable = true, offset = 0 } = {}): Region {
    const content = typeof bytes === 'number' ? new Uint8Array(bytes) : bytes
    const region = {
      name,
      base: (this.#regions.length + 1.5) * APART + offset,
      bytes: content,
      view: new DataView(content.buffer, content.byteOffset, content.byteLength),
      isWritable,
    }
    this.#regions.push(region)
    return region
  }

  /** Regions made from here on are gone after `release`. */
  mark(): void {
    this.#mark = this.#regions.length
  }

  release(): void {
    this.#regions.length = this.#mark
  }

  /** @throws Error for what lies outside of all regions. */
  at(address: number, size: number, isWrite = false): Region {
    const region = this.#regions[Math.floor(address / APART) - 1]
    const place = `${isWrite ? 'write' : 'read'} of ${size} bytes at`
    if (region === undefined) throw new Error(`${place} ${address}`)
    const offset = address - region.base
    if (offset < 0 || offset + size > region.bytes.length)
      throw new Error(`${place} ${region.name}[${offset}]`)
    if (isWrite && !region.isWritable)
      throw new Error(`${place} ${region.name}[${offset}], which is read only`)
    return region
  }

  /** A number of 64 bits; NaN where it needs more than 53, which no register of ours ever does. */
  load(address: number): number {
    const { view, base } = this.at(address, 8)
    const offset = address - base
    const value = view.getInt32(offset + 4, true) * 2 ** 32 + view.getUint32(offset, true)
    return Number.isSafeInteger(value) ? value : Number.NaN
  }

  store(address: number, value: number): void {
    const { view, base } = this.at(address, 8, true)
    const offset = address - base
    view.setUint32(offset, value % 2 ** 32, true)
    view.setInt32(offset + 4, Math.floor(value / 2 ** 32), true)
  }

  loadWord(address: number): number {
    const { view, base } = this.at(address, 4)
    return view.getUint32(address - base, true)
  }

  storeWord(address: number, value: number): void {
    const { view, base } = this.at(address, 4, true)
    view.setUint32(address - base, value, true)
  }
}
