/**
 * The shortest way to a whole text, in bytes. Within a rule it is a shortest path; what comes after a rule's end is found through
 * the rows, as a parse goes. What has been found of a state, or of a place in a text, is kept.
 */
import type { Regex, Regexes } from '../regex/regexes.ts'
import type { Lexer, LexState } from './lexer.ts'
import { BEFORE_ALL, type Row, type Rows } from './rows.ts'
import type { Rule, Rules, State } from './rules.ts'

type Bytes = readonly number[]

/** What comes next on the way to the end of a rule. */
type Step =
  | { readonly kind: 'end'; readonly cost: 0 }
  | { readonly kind: 'terminal' | 'rule'; readonly label: number; readonly to: State; readonly cost: number }

/** States looked at in all, until no more ways are sought: nobody waits longer. */
const MOST_LOOKED_AT = 1 << 18

interface Open {
  readonly at: State
  readonly from: State | undefined
  readonly step: Step | undefined
  /** A lower bound until `isSure`. */
  readonly cost: number
  readonly isSure: boolean
}

export class Completions {
  readonly #rules: Rules
  readonly #rows: Rows
  readonly #lexer: Lexer
  readonly #regexes: Regexes
  readonly #steps = new Map<State, Step>()
  readonly #hopeless = new Set<State>()
  readonly #running = new Set<Rule>()
  /** Of items, [state, row where its rule began] as a key: what to write until the whole text ends. */
  readonly #items = new Map<
    string,
    { readonly cost: number; readonly next: readonly [State, Row] | undefined }
  >()
  #lookedAt = 0

  constructor(rules: Rules, rows: Rows, lexer: Lexer) {
    this.#rules = rules
    this.#rows = rows
    this.#lexer = lexer
    this.#regexes = rules.regexes
  }

  /** @param parts [row, state of the lexer, …]. @returns `undefined` when none was found */
  of(parts: readonly number[]): Bytes | undefined {
    this.#lookedAt = 0
    let best: { cost: number; left: Regex; item: readonly [State, Row] } | undefined
    for (let i = 0; i < parts.length; i += 2) {
      for (const { terminal, left } of this.#lexer.terminals(parts[i + 1] as LexState)) {
        const word = this.#regexes.shortestWord(left)
        if (word === undefined) continue
        const waiting = this.#rows.afterTerminal(parts[i]!, terminal)
        for (let j = 0; j < waiting.length; j += 2) {
          const item = [waiting[j]!, waiting[j + 1]!] as const
          const cost = word.length + this.#costOfItem(item)
          if (cost < (best?.cost ?? Number.POSITIVE_INFINITY)) best = { cost, left, item }
        }
      }
    }
    if (best === undefined) return undefined
    const bytes = [...this.#regexes.shortestWord(best.left)!]
    this.#writeItem(best.item, bytes)
    return bytes
  }

  #writeItem(from: readonly [State, Row], into: number[]): void {
    let item: readonly [State, Row] | undefined = from
    while (item !== undefined) {
      this.#write(item[0], into)
      item = this.#items.get(keyOf(item))?.next
    }
  }

  /** The rest of a rule. */
  #write(from: State, into: number[]): void {
    let state = from
    for (;;) {
      const step = this.#stepOf(state)
      if (step === undefined || step.kind === 'end') return
      if (step.kind === 'terminal')
        for (const byte of this.#regexes.shortestWord(step.label)!) into.push(byte)
      else this.#write(this.#rules.start(step.label), into)
      state = step.to
    }
  }

  /** Items that wait for items: gone through on a stack of their own, for a text may be nested deeply. */
  #costOfItem(item: readonly [State, Row]): number {
    const stack = [item]
    const running = new Set<string>()
    // Those that lead nowhere but to one that is being looked at: another time they may lead further.
    const passed = new Set<string>()
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const key = keyOf(top)
      if (this.#items.has(key)) {
        stack.pop()
        continue
      }
      running.add(key)
      const own = this.#cost(top[0])
      const waiting = this.#waitingFor(top)
      const isOpen = (each: string) => !this.#items.has(each) && !running.has(each) && !passed.has(each)
      const open = waiting.find((each) => isOpen(keyOf(each)))
      if (open !== undefined && own < Number.POSITIVE_INFINITY) {
        stack.push(open)
        continue
      }
      const best = this.#bestOf(top, own, waiting)
      if (best.cost < Number.POSITIVE_INFINITY || stack.length === 1) this.#items.set(key, best)
      else passed.add(key)
      running.delete(key)
      stack.pop()
    }
    return this.#items.get(keyOf(item))!.cost
  }

  #bestOf(item: readonly [State, Row], own: number, waiting: readonly (readonly [State, Row])[]) {
    if (item[1] === BEFORE_ALL) return { cost: own, next: undefined }
    let cost = Number.POSITIVE_INFINITY
    let next: readonly [State, Row] | undefined
    for (const each of waiting) {
      const after = this.#items.get(keyOf(each))?.cost ?? Number.POSITIVE_INFINITY
      if (after >= cost) continue
      cost = after
      next = each
    }
    return { cost: own + cost, next }
  }

  #waitingFor([state, row]: readonly [State, Row]): (readonly [State, Row])[] {
    if (row === BEFORE_ALL) return []
    const pairs = this.#rows.afterRule(row, this.#rules.ruleOf(state))
    return Array.from({ length: pairs.length / 2 }, (_, i) => [pairs[2 * i]!, pairs[2 * i + 1]!] as const)
  }

  /** Bytes from a state to the end of its rule. */
  #cost(state: State): number {
    return this.#stepOf(state)?.cost ?? Number.POSITIVE_INFINITY
  }

  #stepOf(from: State): Step | undefined {
    const known = this.#steps.get(from)
    if (known !== undefined || this.#hopeless.has(from)) return known
    const rule = this.#rules.ruleOf(from)
    if (this.#running.has(rule)) return undefined
    this.#running.add(rule)
    const isOutermost = this.#running.size === 1
    const found = this.#search(from)
    this.#running.delete(rule)
    // Within other rules it may be for their sake that there is none.
    if (!found && isOutermost) this.#hopeless.add(from)
    return this.#steps.get(from)
  }

  /** Dijkstra's algorithm; what a rule costs is found out when it would be the next to go. @returns whether there is a way */
  #search(start: State): boolean {
    const open: Open[] = [{ at: start, from: undefined, step: undefined, cost: 0, isSure: true }]
    const done = new Map<State, Open>()
    while (open.length > 0) {
      const next = takeLeast(open)
      if (!next.isSure) {
        const step = next.step as Step & { kind: 'rule' }
        const sure = this.#cost(this.#rules.start(step.label))
        if (sure < Number.POSITIVE_INFINITY)
          open.push({
            ...next,
            step: { ...step, cost: sure },
            cost: next.cost - step.cost + sure,
            isSure: true,
          })
        continue
      }
      if (done.has(next.at)) continue
      done.set(next.at, next)
      if (++this.#lookedAt > MOST_LOOKED_AT) return false
      if (this.#rules.moves(next.at).accepts) return this.#keepPath(next.at, done)
      this.#follow(next, open)
    }
    return false
  }

  #follow({ at, cost }: Open, open: Open[]): void {
    const { terminals, rules } = this.#rules.moves(at)
    for (let i = 0; i < terminals.length; i += 2) {
      const word = this.#regexes.shortestWord(terminals[i]!)
      if (word === undefined) continue
      const step = {
        kind: 'terminal',
        label: terminals[i]!,
        to: terminals[i + 1]!,
        cost: word.length,
      } as const
      open.push({ at: step.to, from: at, step, cost: cost + word.length, isSure: true })
    }
    for (let i = 0; i < rules.length; i += 2) {
      const step = { kind: 'rule', label: rules[i]!, to: rules[i + 1]!, cost: 1 } as const
      open.push({ at: step.to, from: at, step, cost: cost + 1, isSure: false })
    }
  }

  #keepPath(end: State, done: ReadonlyMap<State, Open>): true {
    this.#steps.set(end, { kind: 'end', cost: 0 })
    let left = 0
    for (let each = done.get(end)!; each.from !== undefined; each = done.get(each.from)!) {
      left += each.step!.cost
      this.#steps.set(each.from, { ...(each.step as Step & { kind: 'rule' }), cost: left })
    }
    return true
  }
}

function keyOf([state, row]: readonly [State, Row]): string {
  return `${state},${row}`
}

/** Few are open at a time. */
function takeLeast(open: Open[]): Open {
  let least = 0
  for (let i = 1; i < open.length; i++) if (open[i]!.cost < open[least]!.cost) least = i
  const [taken] = open.splice(least, 1)
  return taken!
}
