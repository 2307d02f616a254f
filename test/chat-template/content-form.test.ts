/** The user's text reaches the model, in the form that the template wants, or it is refused. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { renderChat } from '../../src/chat-template/chat.ts'
import { type ChatMessage, loadChatTemplate } from '../../src/chat-template/chat-template.ts'
import { loadTokenizer } from '../../src/tokenizer/load-tokenizer.ts'
import type { Tokenizer } from '../../src/tokenizer/tokenizer.ts'

let folder: string
let tokenizer: Tokenizer
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spout-form-'))
  tokenizer = await loadTokenizer('fixtures/golden/tokenizers/byte-level')
})
afterAll(() => rm(folder, { recursive: true }))

async function render(source: string, messages: readonly ChatMessage[]) {
  const file = join(folder, 'template.jinja')
  await writeFile(file, source)
  const template = (await loadChatTemplate(folder, { file }))!
  return renderChat({ template, tokenizer }, messages)
}

const user = (content: string): ChatMessage => ({ role: 'user', content })
const system = (content: string): ChatMessage => ({ role: 'system', content })
const each = (body: string) => `{% for m in messages %}[{{ m.role }}]${body}{% endfor %}`

describe.each([
  [
    'goes through parts',
    each("{% for p in m.content %}{% if p.type == 'text' %}{{ p.text }}{% endif %}{% endfor %}"),
  ],
  ['takes the first part', each('{{ m.content[0].text }}')],
  [
    'reads parts by key',
    each('{% for p in m.content %}{% if p["type"] == "text" %}{{ p["text"] }}{% endif %}{% endfor %}'),
  ],
  [
    'selects parts',
    each('{{ m.content | selectattr("type", "equalto", "text") | map(attribute="text") | join }}'),
  ],
  ['adds to a part', each('{{ m.content[0]["text"] + "" }}')],
])('a template that %s', (_, source) => {
  test.each(['one', 'a', 'one two three four five six', '<|im_end|> is text'])(
    'gets parts: %s',
    async (text) => {
      const { text: prompt, notes } = await render(source, [user(text)])
      expect(prompt).toBe(`[user]${text}`)
      expect(notes).toEqual([])
    },
  )
})

test('a template for texts gets texts, one for both gets texts', async () => {
  const both = each(
    '{% if m.content is string %}={{ m.content }}{% else %}{{ m.content[0].text }}{% endif %}',
  )
  expect((await render(both, [system('s'), user('u')])).text).toBe('[system]=s[user]=u')
})

test.each([
  ['a misspelt name', each('{{ m.contnet }}')],
  ['another name', each('{{ m.text }}')],
  ['white space only', ' \n '],
  ['nothing', '{% if false %}{{ messages }}{% endif %}'],
])('a template that loses the text is refused: %s', async (_, source) => {
  await expect(render(source, [user('one two three four')])).rejects.toMatchObject({
    code: 'config',
    message: 'chat template: it leaves out what the message says',
  })
})

test('what is lost beside it is said', async () => {
  const source = "{% for m in messages if m.role != 'system' %}{{ m.content }}{% endfor %}"
  expect((await render(source, [system('Be brief.'), user('Hi')])).notes).toEqual([
    'the chat template leaves out the system message',
  ])
  const last = '{{ messages[-1].content }}'
  expect((await render(last, [user('one'), { role: 'assistant', content: 'x' }, user('two')])).notes).toEqual(
    ['the chat template leaves out earlier messages'],
  )
})

test.each([
  ['trimmed', each('{{ m.content | trim }}')],
  ['upper case', each('{{ m.content | upper }}')],
  ['as JSON', each('{{ m.content | tojson }}')],
  ['less its thoughts', each("{{ m.content.split('</think>')[-1] }}")],
  [
    'joined to the first user message',
    '{% set s = messages[0].content %}[user]{{ s }} {{ messages[1].content }}',
  ],
])('what a template does with contents is its own affair: %s', async (_, source) => {
  expect((await render(source, [system('Be "brief".'), user(' Say\n"hi" ')])).notes).toEqual([])
})

test('an empty system message is not missed', async () => {
  const source = "{% for m in messages if m.role != 'system' %}{{ m.content }}{% endfor %}"
  expect((await render(source, [system(' '), user('Hi')])).notes).toEqual([])
})

test('a system message that is refused is named as the cause', async () => {
  const source = `{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}${each('{{ m.content }}')}`
  await expect(render(source, [system('Be brief.'), user('Hi')])).rejects.toMatchObject({
    message: 'chat template: System role not supported',
    hint: 'it takes no system message: put that into the prompt (in a chat: /system - first)',
  })
  await expect(render("{{ raise_exception('no') }}", [user('Hi')])).rejects.toMatchObject({
    hint: '--raw sends the prompt without a template',
  })
})
