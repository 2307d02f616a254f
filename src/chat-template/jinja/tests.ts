/** `value is test`. */
import { bind, required } from './arguments.ts'
import { calculate } from './arithmetic.ts'
import { contains, isEqual, numeric, order } from './compare.ts'
import type { Context } from './context.ts'
import { isLower, isUpper } from './text-case.ts'
import { type Arguments, Dict, listed, Sequence, Thing, Tuple, Undefined, type Value } from './values.ts'
import { str } from './write.ts'

type Test = (value: Value, args: Arguments, context: Context) => boolean

const simple =
  (test: (value: Value, context: Context) => boolean): Test =>
  (value, args, context) => {
    bind(args, 'test', [])
    return test(value, context)
  }

/** A test against one other value. */
const against =
  (test: (value: Value, other: Value, context: Context) => boolean): Test =>
  (value, args, context) =>
    test(value, required(bind(args, 'test', ['other'])[0], 'test', 'other'), context)

const equal = against((a, b, { budget }) => isEqual(a, b, budget))
const unequal = against((a, b, { budget }) => !isEqual(a, b, budget))
const ordered = (holds: (order: number) => boolean): Test =>
  against((a, b, { budget }) => holds(order(a, b, budget)))

const remainder = (value: Value, by: Value, { budget }: Context): Value => calculate('%', value, by, budget)
const leaves = (value: Value, by: Value, rest: bigint, context: Context): boolean =>
  isEqual(remainder(value, by, context), rest, context.budget)

const greater = ordered((x) => x > 0)
const less = ordered((x) => x < 0)

export const TESTS: ReadonlyMap<string, Test> = new Map<string, Test>([
  ['defined', simple((value) => !(value instanceof Undefined))],
  ['undefined', simple((value) => value instanceof Undefined)],
  ['none', simple((value) => value === null)],
  ['boolean', simple((value) => typeof value === 'boolean')],
  ['true', simple((value) => value === true)],
  ['false', simple((value) => value === false)],
  ['integer', simple((value) => typeof value === 'bigint')],
  ['float', simple((value) => typeof value === 'number')],
  ['number', simple((value) => numeric(value) !== undefined)],
  ['string', simple((value) => typeof value === 'string')],
  ['mapping', simple((value) => value instanceof Dict)],
  ['sequence', simple(isSequence)],
  [
    'iterable',
    simple((value) => isSequence(value) || listed(value) !== undefined || value instanceof Undefined),
  ],
  [
    'callable',
    simple((value) => value instanceof Undefined || (value instanceof Thing && value.call !== undefined)),
  ],
  ['lower', simple((value, { budget }) => isLower(str(value, budget)))],
  ['upper', simple((value, { budget }) => isUpper(str(value, budget)))],
  ['escaped', simple(() => false)],
  ['odd', simple((value, context) => leaves(value, 2n, 1n, context))],
  ['even', simple((value, context) => leaves(value, 2n, 0n, context))],
  ['divisibleby', against((value, by, context) => leaves(value, by, 0n, context))],
  ['in', against((value, holder, { budget }) => contains(holder, value, budget))],
  [
    'sameas',
    against((value, other) => value === other || (value instanceof Undefined && other instanceof Undefined)),
  ],
  ['filter', simple((value, context) => typeof value === 'string' && context.hasFilter(value))],
  ['test', simple((value, context) => typeof value === 'string' && context.hasTest(value))],
  ['eq', equal],
  ['equalto', equal],
  ['==', equal],
  ['ne', unequal],
  ['!=', unequal],
  ['gt', greater],
  ['greaterthan', greater],
  ['>', greater],
  ['lt', less],
  ['lessthan', less],
  ['<', less],
  ['ge', ordered((x) => x >= 0)],
  ['>=', ordered((x) => x >= 0)],
  ['le', ordered((x) => x <= 0)],
  ['<=', ordered((x) => x <= 0)],
])

function isSequence(value: Value): boolean {
  if (typeof value === 'string' || value instanceof Dict || value instanceof Tuple || Array.isArray(value))
    return true
  // An undefined value has a length and items too, as Python sees it.
  return value instanceof Undefined || (value instanceof Sequence && value.kind === 'range')
}
