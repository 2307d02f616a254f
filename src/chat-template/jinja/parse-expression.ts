/** Expressions, from the weakest operator to the strongest. Each function has the place of the grammar that Jinja gives it. */
import { type CallArguments, type Expression, NO_ARGUMENTS, type Slice } from './syntax.ts'
import type { TokenStream } from './token-stream.ts'

export function parseExpression(stream: TokenStream): Expression {
  let value = parseOr(stream)
  while (stream.skip('name', 'if')) {
    const test = parseOr(stream)
    const no = stream.skip('name', 'else') ? parseExpression(stream) : undefined
    value = { type: 'condition', test, yes: value, no }
  }
  return value
}

/** An expression without `… if …`: what a loop goes through has its own `if`. */
export function parseOr(stream: TokenStream): Expression {
  let left = parseAnd(stream)
  while (stream.skip('name', 'or')) left = { type: 'or', left, right: parseAnd(stream) }
  return left
}

function parseAnd(stream: TokenStream): Expression {
  let left = parseNot(stream)
  while (stream.skip('name', 'and')) left = { type: 'and', left, right: parseNot(stream) }
  return left
}

function parseNot(stream: TokenStream): Expression {
  return stream.skip('name', 'not') ? { type: 'not', operand: parseNot(stream) } : parseCompare(stream)
}

function parseCompare(stream: TokenStream): Expression {
  const first = parseSum(stream)
  const rest: { operator: string; operand: Expression }[] = []
  for (let operator = takeComparison(stream); operator !== undefined; operator = takeComparison(stream))
    rest.push({ operator, operand: parseSum(stream) })
  return rest.length === 0 ? first : { type: 'compare', first, rest }
}

function takeComparison(stream: TokenStream): string | undefined {
  if (stream.isOperator('==', '!=', '<', '<=', '>', '>=')) return stream.take().text
  if (stream.skip('name', 'in')) return 'in'
  if (!stream.is('name', 'not') || !stream.is('name', 'in', 1)) return undefined
  stream.take()
  stream.take()
  return 'not in'
}

function parseSum(stream: TokenStream): Expression {
  let left = parseConcat(stream)
  while (stream.isOperator('+', '-'))
    left = { type: 'binary', operator: stream.take().text, left, right: parseConcat(stream) }
  return left
}

function parseConcat(stream: TokenStream): Expression {
  const parts = [parseProduct(stream)]
  while (stream.skip('operator', '~')) parts.push(parseProduct(stream))
  return parts.length === 1 ? parts[0]! : { type: 'concat', parts }
}

function parseProduct(stream: TokenStream): Expression {
  let left = parsePower(stream)
  while (stream.isOperator('*', '/', '//', '%'))
    left = { type: 'binary', operator: stream.take().text, left, right: parsePower(stream) }
  return left
}

/** Unlike Python's, from left to right. */
function parsePower(stream: TokenStream): Expression {
  let left = parseUnary(stream)
  while (stream.skip('operator', '**'))
    left = { type: 'binary', operator: '**', left, right: parseUnary(stream) }
  return left
}

function parseUnary(stream: TokenStream, withFilters = true): Expression {
  const value = parseSigned(stream)
  return withFilters ? parseFilters(stream, value) : value
}

function parseSigned(stream: TokenStream): Expression {
  if (stream.skip('operator', '-')) return { type: 'negative', operand: parseUnary(stream, false) }
  if (stream.skip('operator', '+')) return { type: 'positive', operand: parseUnary(stream, false) }
  return parsePostfix(stream, parsePrimary(stream))
}

export function parsePrimary(stream: TokenStream): Expression {
  const token = stream.peek()
  if (token?.kind === 'string') return { type: 'const', value: takeStrings(stream) }
  if (stream.isOperator('(')) return parseParenthesized(stream)
  if (stream.isOperator('[')) return { type: 'list', items: parseItems(stream, '[', ']') }
  if (stream.isOperator('{')) return parseDict(stream)
  if (token?.kind !== 'name' && token?.kind !== 'number') throw stream.unexpected('an expression')
  stream.take()
  if (token.kind === 'number') return { type: 'const', value: token.value }
  const constant = CONSTANTS.get(token.text)
  return constant === undefined ? { type: 'name', name: token.text } : { type: 'const', value: constant }
}

const CONSTANTS: ReadonlyMap<string, null | boolean> = new Map<string, null | boolean>([
  ['true', true],
  ['True', true],
  ['false', false],
  ['False', false],
  ['none', null],
  ['None', null],
])

function takeStrings(stream: TokenStream): string {
  let text = ''
  while (stream.peek()?.kind === 'string') text += stream.take().text
  return text
}

function parseParenthesized(stream: TokenStream): Expression {
  stream.expect('operator', '(')
  const value = stream.isOperator(')')
    ? ({ type: 'tuple', items: [] } as const)
    : parseTuple(stream, parseExpression)
  stream.expect('operator', ')')
  return value
}

/** One value, or a tuple of several: a comma makes it one. */
export function parseTuple(stream: TokenStream, parse: (stream: TokenStream) => Expression): Expression {
  const items = [parse(stream)]
  let isTuple = false
  while (stream.skip('operator', ',')) {
    isTuple = true
    if (stream.isEnd() || stream.isOperator(')') || stream.is('name', 'in')) break
    items.push(parse(stream))
  }
  return isTuple ? { type: 'tuple', items } : items[0]!
}

function parseItems(stream: TokenStream, open: string, close: string): Expression[] {
  const items: Expression[] = []
  stream.expect('operator', open)
  while (!stream.isOperator(close)) {
    items.push(parseExpression(stream))
    if (!stream.skip('operator', ',')) break
  }
  stream.expect('operator', close)
  return items
}

function parseDict(stream: TokenStream): Expression {
  const pairs: [Expression, Expression][] = []
  stream.expect('operator', '{')
  while (!stream.isOperator('}')) {
    const key = parseExpression(stream)
    stream.expect('operator', ':')
    pairs.push([key, parseExpression(stream)])
    if (!stream.skip('operator', ',')) break
  }
  stream.expect('operator', '}')
  return { type: 'dict', pairs }
}

function parsePostfix(stream: TokenStream, value: Expression): Expression {
  for (let object = value; ; ) {
    if (stream.isOperator('(')) object = { type: 'call', callee: object, args: parseArguments(stream) }
    else if (stream.skip('operator', '.')) object = parseMember(stream, object)
    else if (stream.skip('operator', '[')) object = parseSubscript(stream, object)
    else return object
  }
}

function parseMember(stream: TokenStream, object: Expression): Expression {
  const token = stream.peek()
  if (token?.kind === 'number' && typeof token.value === 'bigint') {
    stream.take()
    return { type: 'item', object, key: { type: 'const', value: token.value } }
  }
  return { type: 'attribute', object, name: stream.expectName() }
}

function parseSubscript(stream: TokenStream, object: Expression): Expression {
  const key = stream.isOperator(':') ? undefined : parseTuple(stream, parseExpression)
  const slice = stream.isOperator(':') ? parseSlice(stream, key) : undefined
  stream.expect('operator', ']')
  return slice === undefined ? { type: 'item', object, key: key! } : { type: 'slice', object, slice }
}

function parseSlice(stream: TokenStream, start: Expression | undefined): Slice {
  const part = (): Expression | undefined =>
    stream.skip('operator', ':') && !stream.isOperator(':', ']') ? parseExpression(stream) : undefined
  return { start, stop: part(), step: part() }
}

function parseFilters(stream: TokenStream, value: Expression): Expression {
  for (let operand = value; ; ) {
    if (stream.skip('operator', '|')) operand = { type: 'filter', operand, ...parseFilterCall(stream) }
    else if (stream.skip('name', 'is')) operand = parseTest(stream, operand)
    else if (stream.isOperator('(')) operand = { type: 'call', callee: operand, args: parseArguments(stream) }
    else return operand
  }
}

export function parseFilterCall(stream: TokenStream): { name: string; args: CallArguments } {
  let name = stream.expectName()
  while (stream.skip('operator', '.')) name += `.${stream.expectName()}`
  return { name, args: stream.isOperator('(') ? parseArguments(stream) : NO_ARGUMENTS }
}

function parseTest(stream: TokenStream, operand: Expression): Expression {
  const isNegated = stream.skip('name', 'not')
  const name = stream.expectName()
  const test: Expression = { type: 'test', operand, name, args: parseTestArguments(stream) }
  return isNegated ? { type: 'not', operand: test } : test
}

/** A test may have its one argument without parentheses: `x is divisibleby 3`. */
function parseTestArguments(stream: TokenStream): CallArguments {
  if (stream.isOperator('(')) return parseArguments(stream)
  const token = stream.peek()
  const isName = token?.kind === 'name' && !['else', 'or', 'and'].includes(token.text)
  if (isName && token.text === 'is') throw stream.unexpected()
  const follows =
    isName || token?.kind === 'string' || token?.kind === 'number' || stream.isOperator('[', '{')
  if (!follows) return NO_ARGUMENTS
  return { ...NO_ARGUMENTS, positional: [parsePostfix(stream, parsePrimary(stream))] }
}

function parseArguments(stream: TokenStream): CallArguments {
  const positional: Expression[] = []
  const named: [string, Expression][] = []
  let spread: Expression | undefined
  let namedSpread: Expression | undefined
  stream.expect('operator', '(')
  while (!stream.isOperator(')')) {
    if (stream.isOperator('*') && spread === undefined && namedSpread === undefined) {
      stream.take()
      spread = parseExpression(stream)
    } else if (namedSpread === undefined && stream.skip('operator', '**')) {
      namedSpread = parseExpression(stream)
    } else if (namedSpread === undefined && stream.is('operator', '=', 1)) {
      const name = stream.expectName()
      stream.expect('operator', '=')
      named.push([name, parseExpression(stream)])
    } else if (spread === undefined && namedSpread === undefined && named.length === 0) {
      positional.push(parseExpression(stream))
    } else throw stream.unexpected()
    if (!stream.skip('operator', ',')) break
  }
  stream.expect('operator', ')')
  return { positional, named, spread, namedSpread }
}
