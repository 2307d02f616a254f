/**
 * Small faults that may be put into a file: one token, one condition or one statement is another. What a type says, what an error
 * says and what is imported stays as it is: there a fault would be seen by the compiler, or by nobody.
 */
import { parseAst } from 'rolldown/parseAst'

/**
 * @typedef {{ start: number, end: number, text: string, kind: string, line: number }} Mutation
 * `text` takes the place of the characters from `start` to `end`.
 */

const SWAPPED = {
  '+': ['-'],
  '-': ['+'],
  '*': ['/'],
  '/': ['*'],
  '%': ['*'],
  '**': ['*'],
  '<<': ['>>'],
  '>>': ['<<'],
  '>>>': ['<<'],
  '&': ['|'],
  '|': ['&'],
  '^': ['|'],
  '<': ['<=', '>='],
  '<=': ['<', '>'],
  '>': ['>=', '<='],
  '>=': ['>', '<'],
  '===': ['!=='],
  '!==': ['==='],
  '&&': ['||'],
  '||': ['&&'],
  '??': ['&&'],
  '+=': ['-=', '='],
  '-=': ['+=', '='],
  '*=': ['/='],
  '/=': ['*='],
  '|=': ['&='],
  '&=': ['|='],
  '??=': ['='],
  '||=': ['='],
  '&&=': ['='],
}
const METHODS = new Map(
  Object.entries({ min: 'max', max: 'min', floor: 'ceil', ceil: 'floor', some: 'every', every: 'some' }),
)

/**
 * All mutations of a source, in its order.
 * @param {string} source
 * @returns {Mutation[]}
 */
export function mutationsOf(source) {
  const found = []
  const add = (kind, start, end, text) => {
    if (source.slice(start, end) !== text) found.push({ kind, start, end, text, line: lineOf(source, start) })
  }
  walk(parseAst(source, { lang: 'ts' }), (node, parent) => propose({ node, parent, source, add }))
  return found.sort((a, b) => a.start - b.start || a.end - b.end || (a.text < b.text ? -1 : 1))
}

/** @param {string} source @param {Mutation} mutation */
export const applied = (source, { start, end, text }) => source.slice(0, start) + text + source.slice(end)

const lineOf = (source, at) => source.slice(0, at).split('\n').length

/** Expressions that TypeScript wraps are walked; its types are not. */
const WRAPPERS = new Set([
  'TSAsExpression',
  'TSNonNullExpression',
  'TSSatisfiesExpression',
  'TSInstantiationExpression',
])
const SKIPPED = new Set(['ImportDeclaration', 'ExportAllDeclaration', 'ThrowStatement', 'TemplateElement'])

function walk(node, visit, parent = undefined) {
  if (Array.isArray(node)) {
    for (const each of node) walk(each, visit, parent)
    return
  }
  if (typeof node?.type !== 'string' || SKIPPED.has(node.type)) return
  if (node.type.startsWith('TS') && !WRAPPERS.has(node.type)) return
  visit(node, parent)
  for (const [name, child] of Object.entries(node)) {
    // The name of a property is not a literal of ours.
    if (child !== null && typeof child === 'object' && !(name === 'key' && !node.computed))
      walk(child, visit, node)
  }
}

const PROPOSALS = {
  BinaryExpression: swapOperator,
  LogicalExpression: swapOperator,
  AssignmentExpression: swapOperator,
  UnaryExpression({ node, add }) {
    const { operator, start, argument } = node
    if (operator === '!' || operator === '~') add('negation removed', start, argument.start, '')
    if (operator === '-' && argument.type !== 'Literal') add('sign removed', start, argument.start, '')
  },
  UpdateExpression({ node, source, add }) {
    const at = source.indexOf(node.operator, node.prefix ? node.start : node.argument.end)
    add('operator', at, at + 2, node.operator === '++' ? '--' : '++')
  },
  IfStatement({ node, add }) {
    for (const value of ['true', 'false']) add('condition', node.test.start, node.test.end, value)
  },
  ConditionalExpression({ node, add }) {
    for (const value of ['true', 'false']) add('condition', node.test.start, node.test.end, value)
  },
  WhileStatement({ node, add }) {
    add('condition', node.test.start, node.test.end, 'false')
  },
  Literal({ node, source, add }) {
    const { value, start, end } = node
    if (typeof value === 'boolean') add('constant', start, end, String(!value))
    if (typeof value === 'number' && Number.isSafeInteger(value)) {
      add('constant', start, end, String(value + 1))
      if (value > 0) add('constant', start, end, String(value - 1))
    } else if (typeof value === 'number') add('constant', start, end, `(2 * ${source.slice(start, end)})`)
    if (typeof value === 'bigint') add('constant', start, end, `${value + 1n}n`)
  },
  ExpressionStatement({ node, add }) {
    const { type, callee } = node.expression
    const isDirective = node.directive !== undefined && node.directive !== null
    if (!isDirective && callee?.type !== 'Super' && type !== 'Literal')
      add('statement dropped', node.start, node.end, ';')
  },
  ReturnStatement({ node, parent, add }) {
    if (node.argument === null && parent?.type !== 'IfStatement')
      add('statement dropped', node.start, node.end, ';')
  },
  BreakStatement: dropped,
  ContinueStatement: dropped,
  MemberExpression({ node, add }) {
    const other = METHODS.get(node.property.name)
    if (!node.computed && other !== undefined) add('method', node.property.start, node.property.end, other)
  },
}

function propose(context) {
  PROPOSALS[context.node.type]?.(context)
}

function dropped({ node, add }) {
  add('statement dropped', node.start, node.end, ';')
}

function swapOperator({ node, source, add }) {
  const { operator, left, right } = node
  const isText = [left, right].some(
    ({ type, value }) => type === 'TemplateLiteral' || typeof value === 'string',
  )
  if (isText && operator === '+') return
  const between = source
    .slice(left.end, right.start)
    .replace(/\/\*.*?\*\/|\/\/[^\n]*/g, (text) => ' '.repeat(text.length))
  const at = left.end + between.indexOf(operator)
  for (const other of SWAPPED[operator] ?? []) add('operator', at, at + operator.length, other)
}
