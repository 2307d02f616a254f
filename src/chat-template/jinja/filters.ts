/** `value | filter`, by name. */
import { LIST_FILTERS } from './list-filters.ts'
import { NUMBER_FILTERS } from './number-filters.ts'
import { type Filter, TEXT_FILTERS } from './text-filters.ts'

export const FILTERS: ReadonlyMap<string, Filter> = new Map([
  ...TEXT_FILTERS,
  ...NUMBER_FILTERS,
  ...LIST_FILTERS,
])
