/** A `for` under way: `loop` of its body. Items are fetched as they are needed, for a test may look at what the body did. */
import type { Budget } from './budget.ts'
import { isEqual } from './compare.ts'
import { TemplateError } from './template-error.ts'
import { type Arguments, orUndefined, Thing, Tuple, type Value } from './values.ts'

interface LoopOptions {
  readonly items: Iterator<Value>
  readonly budget: Budget
  /** Loops of the same kind around it. */
  readonly depth: number
  /** Writes the body for other items, in a loop that is `recursive`. */
  readonly recurse: ((items: Value, depth: number) => Value) | undefined
}

export class Loop extends Thing {
  readonly #options: LoopOptions
  /** Fetched ahead of the body. */
  readonly #ahead: Value[] = []
  #index = -1
  #before: Value | undefined
  #current: Value | undefined
  #changed: Value | undefined

  constructor(options: LoopOptions) {
    const { recurse, depth } = options
    super('LoopContext', (args) => {
      if (recurse === undefined)
        throw new TemplateError("the loop must have the 'recursive' marker to be called")
      return recurse(orUndefined(args.positional[0], 'a loop is called with items'), depth + 1)
    })
    this.#options = options
  }

  /** The next item, or `undefined` at the end. */
  next(): Value | undefined {
    const item = this.#peek()
    this.#ahead.shift()
    if (item === undefined) return undefined
    this.#index++
    this.#before = this.#current
    this.#current = item
    return item
  }

  #peek(): Value | undefined {
    if (this.#ahead.length === 0) this.#fetch()
    return this.#ahead[0]
  }

  #fetch(): boolean {
    const { done, value } = this.#options.items.next()
    if (!done) this.#ahead.push(value)
    return !done
  }

  #length(): number {
    while (this.#fetch());
    return this.#index + 1 + this.#ahead.length
  }

  override attribute(name: string): Value | undefined {
    const { depth, budget } = this.#options
    switch (name) {
      case 'index':
        return BigInt(this.#index + 1)
      case 'index0':
        return BigInt(this.#index)
      case 'revindex':
        return BigInt(this.#length() - this.#index)
      case 'revindex0':
        return BigInt(this.#length() - this.#index - 1)
      case 'first':
        return this.#index === 0
      case 'last':
        return this.#peek() === undefined
      case 'length':
        return BigInt(this.#length())
      case 'depth':
        return BigInt(depth + 1)
      case 'depth0':
        return BigInt(depth)
      case 'previtem':
        return orUndefined(this.#before, 'there is no previous item')
      case 'nextitem':
        return orUndefined(this.#peek(), 'there is no next item')
      case 'cycle':
        return new Thing('method', (args) => this.#cycle(args))
      case 'changed':
        return new Thing('method', ({ positional }) => this.#isChanged(new Tuple(positional), budget))
      default:
        return undefined
    }
  }

  #cycle({ positional }: Arguments): Value {
    if (positional.length === 0) throw new TemplateError('no items for cycling given')
    return positional[this.#index % positional.length]!
  }

  #isChanged(value: Value, budget: Budget): boolean {
    const isChanged = this.#changed === undefined || !isEqual(this.#changed, value, budget)
    this.#changed = value
    return isChanged
  }
}
