/** What filters, tests and methods may ask of the running template. */
import type { Budget } from './budget.ts'
import type { Arguments, Value } from './values.ts'

export interface Context {
  readonly budget: Budget
  /** `object.name`: an attribute, else an item. */
  getAttribute(object: Value, name: string): Value
  /** `object[key]`: an item, else an attribute. */
  getItem(object: Value, key: Value): Value
  /** @throws TemplateError, also when there is no filter of that name. */
  applyFilter(name: string, operand: Value, args: Arguments): Value
  applyTest(name: string, operand: Value, args: Arguments): boolean
  hasFilter(name: string): boolean
  hasTest(name: string): boolean
}
