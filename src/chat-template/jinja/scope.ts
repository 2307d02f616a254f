import type { Value } from './values.ts'

/** Names and what they stand for; what is not here is looked for around it. */
export class Scope {
  readonly #values = new Map<string, Value>()
  readonly #around: Scope | undefined

  constructor(around?: Scope) {
    this.#around = around
  }

  get(name: string): Value | undefined {
    let scope: Scope | undefined = this
    while (scope !== undefined) {
      const value = scope.#values.get(name)
      if (value !== undefined) return value
      scope = scope.#around
    }
    return undefined
  }

  set(name: string, value: Value): void {
    this.#values.set(name, value)
  }
}
