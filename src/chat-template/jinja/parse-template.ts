/** Statements: the tags of a template and what is written between them. */
import { parseExpression, parseFilterCall, parseOr, parsePrimary, parseTuple } from './parse-expression.ts'
import { scanTemplate } from './scan-template.ts'
import type { Expression, FilterCall, Signature, Statement, Target } from './syntax.ts'
import { TemplateError } from './template-error.ts'
import { TokenStream } from './token-stream.ts'

export function parseTemplate(source: string): readonly Statement[] {
  const stream = new TokenStream(scanTemplate(source))
  const body = parseBody(stream, [])
  if (stream.peek() !== undefined) throw stream.unexpected()
  return body
}

/** Statements until a tag that begins with one of `ends`; the word is left for whoever asked. */
function parseBody(stream: TokenStream, ends: readonly string[]): Statement[] {
  const body: Statement[] = []
  for (let token = stream.peek(); token !== undefined; token = stream.peek()) {
    stream.take()
    if (token.kind === 'data') body.push({ type: 'data', text: token.text })
    else if (token.text === 'output') {
      body.push({ type: 'output', value: parseTuple(stream, parseExpression) })
      stream.expectEnd()
    } else if (ends.some((end) => stream.is('name', end))) return body
    else {
      body.push(parseStatement(stream))
      stream.expectEnd()
    }
  }
  if (ends.length > 0) throw stream.unexpected(ends.join(' or '))
  return body
}

/** The body of a tag: from the end of the tag that opens it to the word that closes it. */
function parseBlock(stream: TokenStream, ...ends: readonly string[]): Statement[] {
  stream.expectEnd()
  return parseBody(stream, ends)
}

function parseClosed(stream: TokenStream, end: string): Statement[] {
  const body = parseBlock(stream, end)
  stream.expect('name', end)
  return body
}

type Parse = (stream: TokenStream) => Statement

function parseStatement(stream: TokenStream): Statement {
  const { line } = stream.peek()!
  const tag = stream.expectName()
  const parse = STATEMENTS.get(tag)
  if (parse !== undefined) return parse(stream)
  if (OF_OTHER_FILES.has(tag))
    throw new TemplateError(`{% ${tag} %}: a chat template stands alone, line ${line}`)
  throw new TemplateError(`unknown tag {% ${tag} %}, line ${line}`)
}

const OF_OTHER_FILES = new Set(['include', 'import', 'from', 'extends'])

const STATEMENTS: ReadonlyMap<string, Parse> = new Map<string, Parse>([
  ['if', parseIf],
  ['for', parseFor],
  ['set', parseSet],
  ['with', parseWith],
  ['macro', parseMacro],
  ['call', parseCallBlock],
  [
    'filter',
    (stream) => ({
      type: 'filter-block',
      filters: parsePipeline(stream),
      body: parseClosed(stream, 'endfilter'),
    }),
  ],
  ['block', parseNamedBlock],
  ['autoescape', parseAutoescape],
  ['generation', (stream) => ({ type: 'scope', body: parseClosed(stream, 'endgeneration') })],
  ['print', parsePrint],
  ['break', () => ({ type: 'break' })],
  ['continue', () => ({ type: 'continue' })],
])

function parseIf(stream: TokenStream): Statement {
  const test = parseTuple(stream, parseOr)
  const body = parseBlock(stream, 'elif', 'else', 'endif')
  const otherwise = stream.skip('name', 'elif') ? [parseIf(stream)] : parseElse(stream, 'endif')
  return { type: 'if', test, body, otherwise }
}

function parseElse(stream: TokenStream, end: string): Statement[] {
  if (stream.skip('name', 'else')) return parseClosed(stream, end)
  stream.expect('name', end)
  return []
}

function parseFor(stream: TokenStream): Statement {
  const target = parseTarget(stream)
  stream.expect('name', 'in')
  const iterable = parseTuple(stream, parseOr)
  const test = stream.skip('name', 'if') ? parseExpression(stream) : undefined
  const recursive = stream.skip('name', 'recursive')
  const body = parseBlock(stream, 'endfor', 'else')
  return { type: 'for', target, iterable, test, recursive, body, otherwise: parseElse(stream, 'endfor') }
}

function parseSet(stream: TokenStream): Statement {
  const target = parseTarget(stream)
  if (stream.skip('operator', '=')) return { type: 'set', target, value: parseTuple(stream, parseExpression) }
  const filters = stream.skip('operator', '|') ? parsePipeline(stream) : []
  return { type: 'set-block', target, filters, body: parseClosed(stream, 'endset') }
}

function parseTarget(stream: TokenStream): Target {
  return asTarget(
    parseTuple(stream, (part) => {
      const value = parsePrimary(part)
      if (value.type !== 'name' || !part.skip('operator', '.')) return value
      return { type: 'attribute', object: value, name: part.expectName() }
    }),
    stream,
  )
}

function asTarget(value: Expression, stream: TokenStream): Target {
  if (value.type === 'name') return value
  if (value.type === 'tuple')
    return { type: 'tuple', items: value.items.map((item) => asTarget(item, stream)) }
  if (value.type === 'attribute' && value.object.type === 'name')
    return { type: 'namespace', object: value.object.name, name: value.name }
  throw stream.unexpected('a name to assign to')
}

function parseWith(stream: TokenStream): Statement {
  const assignments: [Target, Expression][] = []
  while (!stream.isEnd()) {
    if (assignments.length > 0) stream.expect('operator', ',')
    const target = asTarget(parsePrimary(stream), stream)
    stream.expect('operator', '=')
    assignments.push([target, parseExpression(stream)])
  }
  return { type: 'with', assignments, body: parseClosed(stream, 'endwith') }
}

function parseMacro(stream: TokenStream): Statement {
  const name = stream.expectName()
  return { type: 'macro', name, signature: parseSignature(stream), body: parseClosed(stream, 'endmacro') }
}

function parseSignature(stream: TokenStream): Signature {
  const names: string[] = []
  const defaults: Expression[] = []
  stream.expect('operator', '(')
  while (!stream.isOperator(')')) {
    if (names.length > 0) stream.expect('operator', ',')
    if (stream.isOperator(')')) break
    names.push(stream.expectName())
    if (stream.skip('operator', '=')) defaults.push(parseExpression(stream))
    else if (defaults.length > 0) throw stream.unexpected('a default')
  }
  stream.expect('operator', ')')
  return { names, defaults }
}

function parseCallBlock(stream: TokenStream): Statement {
  const signature = stream.isOperator('(') ? parseSignature(stream) : { names: [], defaults: [] }
  const call = parseExpression(stream)
  if (call.type !== 'call') throw stream.unexpected('a call')
  return { type: 'call-block', call, signature, body: parseClosed(stream, 'endcall') }
}

function parsePipeline(stream: TokenStream): FilterCall[] {
  const filters = [parseFilterCall(stream)]
  while (stream.skip('operator', '|')) filters.push(parseFilterCall(stream))
  return filters
}

/** Without other templates a block is written where it stands. */
function parseNamedBlock(stream: TokenStream): Statement {
  const name = stream.expectName()
  while (!stream.isEnd()) stream.expectName()
  const body = parseClosed(stream, 'endblock')
  stream.skip('name', name)
  return { type: 'scope', body }
}

/** Nothing is escaped here: a prompt is no web page. */
function parseAutoescape(stream: TokenStream): Statement {
  parseExpression(stream)
  return { type: 'scope', body: parseClosed(stream, 'endautoescape') }
}

function parsePrint(stream: TokenStream): Statement {
  const parts = [parseExpression(stream)]
  while (stream.skip('operator', ',')) parts.push(parseExpression(stream))
  return { type: 'output', value: { type: 'concat', parts } }
}
