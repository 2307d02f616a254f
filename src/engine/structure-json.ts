/** A structure of a request that came as JSON: checked field by field, and whether it can be used at all. */
import { SpoutError } from '../errors.ts'
import { checkStructure } from '../grammar/structure.ts'
import {
  asObject,
  type StructureInput,
  type StructureRequest,
  structureRequest,
} from './structure-request.ts'

const FIELDS: Readonly<Record<string, readonly string[]>> = {
  prompt: ['auto', 'none', 'types'],
  onLimit: ['fail', 'close'],
  jump: ['auto', 'off'],
}

/** A structure of a request that came as JSON. @throws SpoutError `usage` that names what is wrong with it. */
export function structureFromJson(value: unknown): StructureRequest {
  const { of, ...rest } = asObject(value, 'structure')
  for (const [name, given] of Object.entries(rest)) {
    if (name === 'check' && typeof given === 'string') continue
    if (FIELDS[name]?.includes(given as string)) continue
    throw new SpoutError('usage', `structure.${name}: ${JSON.stringify(given)} is not one of its values`)
  }
  checkShape(asObject(of, 'structure.of'))
  const request = structureRequest({ ...rest, of } as StructureInput)
  checkStructure(request.of)
  return request
}

/** What a structure of each kind must have, as what. */
const SHAPES: Readonly<Record<string, Readonly<Record<string, (value: unknown) => boolean>>>> = {
  schema: { schema: (value) => value !== undefined },
  items: {
    schema: (value) => value !== undefined,
    min: isCount,
    max: isCount,
  },
  calls: {
    schema: isText,
    open: isText,
    close: isText,
    between: (value) => value === undefined || isText(value),
    text: (value) => ['no', 'before', 'instead'].includes(value as string),
  },
  json: {},
  object: {},
  array: {},
  regex: { regex: isText },
  choice: { choices: (value) => Array.isArray(value) && value.every((each) => typeof each === 'string') },
  grammar: {
    text: (value) => typeof value === 'string',
    notation: (value) => ['gbnf', 'lark', 'ebnf'].includes(value as string),
  },
}

function checkShape(structure: Readonly<Record<string, unknown>>): void {
  const shape = Object.hasOwn(SHAPES, String(structure.kind)) ? SHAPES[String(structure.kind)] : undefined
  if (shape === undefined)
    throw new SpoutError(
      'usage',
      `structure.of.kind: ${JSON.stringify(structure.kind)} is not one of ${Object.keys(SHAPES).join(', ')}`,
    )
  for (const [name, fits] of Object.entries(shape))
    if (!fits(structure[name]))
      throw new SpoutError('usage', `structure.of.${name}: missing, or of another type`)
  const { style, closed } =
    structure.options === undefined ? {} : asObject(structure.options, 'structure.of.options')
  if (![undefined, 'auto', 'compact', 'pretty', 'line'].includes(style as string | undefined))
    throw new SpoutError('usage', 'structure.of.options.style: it is not auto, compact, pretty or line')
  if (closed !== undefined && typeof closed !== 'boolean')
    throw new SpoutError('usage', 'structure.of.options.closed: it is not true or false')
}

function isCount(value: unknown): boolean {
  return value === undefined || (Number.isSafeInteger(value) && (value as number) >= 0)
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}
