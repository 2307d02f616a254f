/**
 * What a program with web-xgrammar does before it has a first mask, and no model beside it: reads the vocabulary, and with a
 * schema loads the library, tells it the vocabulary, compiles and asks for the mask.
 *     node web-xgrammar.mjs tokenizer.json [SCHEMA.json]
 */
import { readFileSync } from 'node:fs'
import Module from 'node:module'
import { fileURLToPath } from 'node:url'

const [tokenizerPath, schema] = process.argv.slice(2)
const { model, added_tokens: added } = JSON.parse(readFileSync(tokenizerPath, 'utf8'))
const vocabulary = []
for (const [token, id] of Object.entries(model.vocab)) vocabulary[id] = token
for (const { id, content } of added) vocabulary[id] = content
const tokens = Array.from(vocabulary, (token) => token ?? '')
let allowed = 0
if (schema !== undefined) {
  const { GrammarCompiler, GrammarMatcher, TokenizerInfo } = loadLibrary()
  const info = await TokenizerInfo.createTokenizerInfo(tokens, 'byte_level', false, tokens.length, [0])
  const compiler = await GrammarCompiler.createGrammarCompiler(info)
  const compiled = await compiler.compileJSONSchema(readFileSync(schema, 'utf8'))
  const matcher = await GrammarMatcher.createGrammarMatcher(compiled)
  const mask = await matcher.getNextTokenBitmask()
  for (const word of mask) for (let left = word; left !== 0; left &= left - 1) allowed++
  if (allowed === 0) throw new Error('no token is allowed')
}
console.log(`${tokens.length} tokens, ${allowed} allowed`)

/** Its package says that it is an ES module, and it is none: Node cannot import it as it is. */
function loadLibrary() {
  const path = fileURLToPath(import.meta.resolve('@mlc-ai/web-xgrammar'))
  const module = new Module(path)
  module.filename = path
  module._compile(readFileSync(path, 'utf8'), path)
  return module.exports
}
