/** Damaged chat templates: refused, or a text. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { loadChatTemplate } from '../../../dist/chat-template/chat-template.js'
import { mutateText } from '../mutate.mjs'

const MODEL = fileURLToPath(new URL('../../../fixtures/models/tiny-chat/', import.meta.url))
const MESSAGES = [
  { role: 'system', content: 'be brief' },
  { role: 'user', content: 'Hello {{ there }} <|im_end|>' },
  { role: 'assistant', content: '<think>hm</think>Yes.' },
  { role: 'user', content: 'x'.repeat(500) },
]
const TEMPLATES = [
  "{% for m in messages %}{% if loop.first and m.role != 'system' %}{{ bos_token }}{% endif %}{{ '<|' + m['role'] + '|>' + m['content'] | trim + eos_token }}{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}",
  "{%- set ns = namespace(last=0) -%}{%- for i in range(messages | length) -%}{%- if messages[i].role == 'user' -%}{%- set ns.last = i -%}{%- endif -%}{%- endfor -%}{% for m in messages[ns.last:] %}{{ m.content.split('</think>')[-1].strip() | upper }}{% endfor %}",
  "{% macro part(m, k=1) %}[{{ m.role | capitalize }}]{{ m.content[:20] | tojson(indent=2) }}{{ '=' * k }}{% endmacro %}{% for m in messages | selectattr('role', 'equalto', 'user') | list %}{{ part(m, loop.index) }}{% else %}none{% endfor %}",
]

export async function open() {
  const { chat_template: own } = JSON.parse(readFileSync(join(MODEL, 'tokenizer_config.json'), 'utf8'))
  const sources = [...TEMPLATES, ...(typeof own === 'string' ? [own] : [])]
  return async ({ random, folder }) => {
    let source = random.pick(sources)
    for (let i = 0; i <= random.below(4); i++) source = mutateText(source, random)
    writeFileSync(join(folder, 'chat_template.jinja'), source)
    writeFileSync(join(folder, 'tokenizer_config.json'), '{"bos_token":"<s>","eos_token":"</s>"}')
    const template = await loadChatTemplate(folder)
    const text = template?.render(MESSAGES, {})
    if (typeof text !== 'string') return { wrong: `rendered: ${typeof text}` }
    return {}
  }
}
