/** Calls of tools: through the model's template, held to their parameters, and told apart from text. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Ajv } from 'ajv'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { toolFormatOf } from '../../src/chat-template/tool-format.ts'
import { openEngine } from '../../src/open/open-engine.ts'
import { ToolSplitter } from '../../src/openai/tool-splitter.ts'
import { chat, eventsOf, startServer, type TestServer } from '../support/api-server.ts'
import { wrongWith } from '../support/openai-shapes.ts'

/** As Qwen's, in short. */
const MARKED = `{%- if tools %}{{- 'Tools:' }}{%- for tool in tools %}{{- ' ' + (tool | tojson) }}{%- endfor %}
{{- 'Call: <tool_call>\\n{"name": <name>, "arguments": <object>}\\n</tool_call>\\n' }}{%- endif %}
{%- for m in messages %}{{- m.role + ': ' + m.content + '\\n' }}
{%- for call in m.tool_calls or [] %}{{- '<tool_call>\\n{"name": "' + call.function.name + '", "arguments": ' }}{{- call.function.arguments | tojson }}{{- '}\\n</tool_call>\\n' }}{%- endfor %}
{%- endfor %}{{- 'assistant: ' }}`
/** As Llama's. */
const BARE = `{%- if tools %}{%- for t in tools %}{{- t | tojson }}{%- endfor %}{%- endif %}
{%- for m in messages %}{%- if m.tool_calls %}{{- '{"name": "' + m.tool_calls[0].function.name + '", ' }}{{- '"parameters": ' }}{{- m.tool_calls[0].function.arguments | tojson }}{{- '}' }}
{%- else %}{{- m.role + ': ' + m.content + '\\n' }}{%- endif %}{%- endfor %}`

const folder = mkdtempSync(join(tmpdir(), 'spout-tools-'))
const withTemplate = (name: string, template: string) => {
  const chatTemplateFile = join(folder, `${name}.jinja`)
  writeFileSync(chatTemplateFile, template)
  return { name, open: () => openEngine({ threads: 1, offline: true, chatTemplateFile }) }
}
let api: TestServer
beforeAll(async () => {
  const plain = withTemplate('plain', "{% for m in messages %}{{ m.role + ': ' + m.content }}{% endfor %}")
  api = await startServer({ models: [withTemplate('tiny', MARKED), withTemplate('bare', BARE), plain] })
})
afterAll(async () => {
  await api.server.close()
  rmSync(folder, { recursive: true })
})

const place = { type: 'string', maxLength: 6 }
const WEATHER = {
  type: 'object',
  properties: { place: { $ref: '#/$defs/place' }, days: { type: 'integer', minimum: 1, maximum: 3 } },
  required: ['place', 'days'],
  $defs: { place },
}
const tool = (name: string, parameters?: object) => ({
  type: 'function',
  function: { name, description: 'of use', parameters },
})
const TOOLS = [tool('weather', WEATHER), tool('clock')]
const ask = (more: object) =>
  api.ask('/v1/chat/completions', chat('Rain?', { tools: TOOLS, seed: 5, max_tokens: 200, ...more }))
const isWeather = new Ajv().compile({ ...WEATHER, additionalProperties: false })

interface Call {
  readonly id: string
  readonly function: { readonly name: string; readonly arguments: string }
}

function check(calls: readonly Call[]): void {
  expect(calls.length).toBeGreaterThan(0)
  for (const { id, function: called } of calls) {
    expect(id).toMatch(/^[A-Za-z0-9]{9}$/)
    const value = JSON.parse(called.arguments)
    if (called.name === 'weather') expect(isWeather(value)).toBe(true)
    else expect([called.name, value]).toEqual(['clock', {}])
  }
}

describe.each(['tiny', 'bare'])('a model with the template %s', (model) => {
  test('calls what it must, with arguments that satisfy their schema', async () => {
    for (const seed of [1, 2, 3, 4, 5, 6]) {
      const { status, json } = await ask({
        model,
        seed,
        tool_choice: 'required',
        parallel_tool_calls: false,
        temperature: 1,
      })
      expect([status, wrongWith('chat', json)]).toEqual([200, []])
      const [{ message, finish_reason: reason }] = json.choices
      expect([reason, message.content, message.tool_calls.length]).toEqual(['tool_calls', null, 1])
      check(message.tool_calls)
    }
  })

  test('calls the one that is named', async () => {
    const { json } = await ask({ model, tool_choice: { type: 'function', function: { name: 'clock' } } })
    expect(json.choices[0].message.tool_calls.map((call: Call) => call.function.name)).toEqual(['clock'])
  })

  test('a stream is the same in pieces', async () => {
    const more = { model, tool_choice: 'required', n: 2, parallel_tool_calls: false }
    const whole = (await ask(more)).json
    const { text } = await ask({ ...more, stream: true })
    const chunks = eventsOf(text)
      .slice(0, -1)
      .map((data) => JSON.parse(data))
    expect(chunks.flatMap((chunk) => wrongWith('chunk', chunk))).toEqual([])
    for (const index of [0, 1]) {
      const own = chunks.flatMap((chunk) => chunk.choices).filter((each) => each.index === index)
      const pieces = own.flatMap(({ delta }) => delta.tool_calls ?? [])
      const [call] = whole.choices[index].message.tool_calls
      expect(pieces[0]).toMatchObject({ index: 0, type: 'function', function: { name: call.function.name } })
      expect(pieces.map((piece) => piece.function.arguments).join('')).toBe(call.function.arguments)
      expect(pieces.length).toBeGreaterThan(2)
      expect(own.at(-1).finish_reason).toBe('tool_calls')
    }
  })

  test('may write text instead', async () => {
    const { json } = await ask({ model, max_tokens: 20 })
    expect(wrongWith('chat', json)).toEqual([])
    const [{ message, finish_reason: reason }] = json.choices
    if (message.tool_calls === undefined)
      expect([typeof message.content, reason]).toEqual(['string', 'length'])
  })

  test('reads what it called, and what that answered', async () => {
    const called = {
      id: 'abcdefghi',
      type: 'function',
      function: { name: 'weather', arguments: '{"place": "Rome", "days": 1}' },
    }
    const messages = [
      { role: 'user', content: 'Rain?' },
      { role: 'assistant', content: null, tool_calls: [called] },
      { role: 'tool', tool_call_id: 'abcdefghi', content: 'dry' },
    ]
    const body = { model, messages, tools: TOOLS, max_tokens: 5, seed: 1 }
    const { status, json } = await api.ask('/v1/chat/completions', body)
    expect([status, wrongWith('chat', json)]).toEqual([200, []])
    const without = await api.ask('/v1/chat/completions', { ...body, messages: messages.slice(0, 1) })
    expect(json.usage.prompt_tokens).toBeGreaterThan(without.json.usage.prompt_tokens)
  })
})

describe('what cannot be is refused, and named', () => {
  test.each<[more: object, param: string]>([
    [{ model: 'plain' }, 'tools'],
    [{ tools: [{ type: 'web_search' }] }, 'tools[0].type'],
    [{ tools: [tool('a b')] }, 'tools[0].function.name'],
    [{ tools: [tool('a'), tool('a')] }, 'tools'],
    [{ tools: [{ type: 'function', function: { name: 'a', other: 1 } }] }, 'tools[0].function.other'],
    [{ tool_choice: 'always' }, 'tool_choice'],
    [{ tool_choice: { type: 'function', function: { name: 'none' } } }, 'tool_choice'],
    [{ tools: [], tool_choice: 'required' }, 'tool_choice'],
    [{ parallel_tool_calls: 1 }, 'parallel_tool_calls'],
    [{ response_format: { type: 'json_object' } }, 'response_format'],
    [{ stop: 'a' }, 'stop'],
  ])('%j', async (more, param) => {
    const { status, json } = await ask(more)
    expect([status, json.error.param]).toEqual([400, param])
  })

  test('tools that are not to be called are no matter', async () => {
    const { status, json } = await ask({ model: 'plain', tool_choice: 'none', max_tokens: 3 })
    expect([status, json.choices[0].message.tool_calls]).toEqual([200, undefined])
  })
})

test('an answer is taken apart the same way, wherever its pieces are cut', () => {
  const text =
    'Let me see. <tool\n\n<tool_call>\n{"name": "a", "arguments": {"x": "}\\"{", "y": [1, {}]}}\n</tool_call>\n<tool_call>\n{"name":"b","arguments":{}}\n</tool_call>'
  const split = (pieces: readonly string[]) => {
    let said = ''
    const add = (piece: string): void => {
      said += piece
    }
    const events = { text: add, call: () => undefined, arguments: () => undefined }
    const splitter = new ToolSplitter({ open: '<tool_call>\n' }, events, () => 'id')
    for (const piece of pieces) splitter.push(piece)
    splitter.end()
    return { said, calls: splitter.calls }
  }
  const whole = {
    said: 'Let me see. <tool',
    calls: [
      { id: 'id', name: 'a', arguments: '{"x": "}\\"{", "y": [1, {}]}' },
      { id: 'id', name: 'b', arguments: '{}' },
    ],
  }
  expect(split([text])).toEqual(whole)
  fc.assert(
    fc.property(fc.array(fc.nat(text.length)), (cuts) => {
      const places = [0, ...cuts.sort((a, b) => a - b), text.length]
      expect(split(places.slice(1).map((at, i) => text.slice(places[i], at)))).toEqual(whole)
    }),
    { numRuns: 200 },
  )
  expect(split(['only <tool_', 'cal']).said).toBe('only <tool_cal')
})

test('templates that write calls in another way are not taken for one that is known', () => {
  expect(toolFormatOf(MARKED)?.open).toBe('<tool_call>\n')
  expect(toolFormatOf(BARE)).toMatchObject({ open: '', argumentsKey: 'parameters' })
  expect(toolFormatOf('{{ tools }}[TOOL_CALLS]')).toBeUndefined()
  expect(toolFormatOf(MARKED.replace('<tool_call>', '<tool_call><function=x>'))).toBeUndefined()
  expect(toolFormatOf(MARKED.replaceAll('tools', 'things'))).toBeUndefined()
})
