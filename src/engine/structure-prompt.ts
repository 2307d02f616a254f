/** What a chat model is told of the structure of its answer. */
import type { ChatMessage } from '../chat-template/chat-template.ts'
import { SpoutError } from '../errors.ts'
import { minifyJson } from '../grammar/json/minify.ts'
import { schemaAsTypes } from '../grammar/json/schema-types.ts'
import type { GenerateRequest } from './request.ts'
import type { StructureRequest } from './structure-request.ts'

/**
 * Renders the messages of a request, what is to be known of its structure in the system message; in the user's where the
 * template has no system message.
 */
export function renderStructured<T>(
  { messages, structure }: Pick<GenerateRequest, 'messages' | 'structure'>,
  render: (messages: readonly ChatMessage[]) => T,
): T {
  const text = structure && instructionOf(structure)
  if (text === undefined) return render(messages)
  try {
    return render(withSystem(messages, text))
  } catch (error) {
    const isRefused = error instanceof SpoutError && error.code === 'config' && messages[0]?.role !== 'system'
    if (!isRefused) throw error
    return render(withUser(messages, text))
  }
}

function withSystem(messages: readonly ChatMessage[], text: string): ChatMessage[] {
  const [first, ...others] = messages
  if (first?.role !== 'system') return [{ role: 'system', content: text }, ...messages]
  return [{ ...first, content: `${first.content}\n\n${text}` }, ...others]
}

function withUser(messages: readonly ChatMessage[], text: string): ChatMessage[] {
  const last = messages.at(-1)!
  return [...messages.slice(0, -1), { ...last, content: `${last.content}\n\n${text}` }]
}

/** `undefined` where nothing is to be said. */
function instructionOf({ of, prompt = 'auto' }: StructureRequest): string | undefined {
  if (prompt === 'none') return undefined
  switch (of.kind) {
    case 'json':
      return 'Answer with JSON and nothing else.'
    case 'object':
    case 'array':
      return `Answer with a JSON ${of.kind} and nothing else.`
    case 'schema':
      return `Answer with JSON and nothing else. ${schemaText(of.schema, prompt)}`
    case 'items':
      return `Answer with JSON documents and nothing else, each on a line of its own. For each of them: ${schemaText(of.schema, prompt)}`
    default:
      return undefined
  }
}

function schemaText(schema: string, prompt: 'auto' | 'types'): string {
  if (prompt === 'types') return `It has this TypeScript type:\n${schemaAsTypes(schema)}`
  return `It satisfies this JSON Schema:\n${minifyJson(schema)}`
}
