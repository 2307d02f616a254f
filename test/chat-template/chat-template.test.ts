import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type ChatMessage,
  type LoadChatTemplateOptions,
  loadChatTemplate,
  type RenderOptions,
} from '../../src/chat-template/chat-template.ts'
import { compileTemplate } from '../../src/chat-template/jinja.ts'
import { processorTime } from '../support/processor-time.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spout-template-'))
})
afterAll(() => rm(folder, { recursive: true }))

/** A model folder with these files. */
async function load(files: Record<string, unknown>, options?: LoadChatTemplateOptions) {
  const model = await mkdtemp(join(folder, 'model-'))
  for (const [name, content] of Object.entries(files)) {
    await writeFile(join(model, name), typeof content === 'string' ? content : JSON.stringify(content))
  }
  return loadChatTemplate(model, options)
}

async function render(
  source: string,
  messages: readonly ChatMessage[] = [],
  options?: RenderOptions,
): Promise<string> {
  return (await load({ 'chat_template.jinja': source }))!.render(messages, options)
}

const at = (now: Date) => ({ now, utc: false })
const hello = [{ role: 'user', content: 'Hello' }]

describe('where a template is found', () => {
  const config = {
    bos_token: '<s>',
    eos_token: { content: '</s>' },
    chat_template: 'config {{ bos_token }}{{ eos_token }}',
  }

  test('chat_template.jinja, else chat_template.json, else tokenizer_config.json', async () => {
    const files = {
      'tokenizer_config.json': config,
      'chat_template.json': { chat_template: 'json' },
      'chat_template.jinja': 'jinja {{ bos_token }}',
    }
    expect((await load(files))!.render([])).toBe('jinja <s>')
    const { 'chat_template.jinja': _, ...two } = files
    expect((await load(two))!.render([])).toBe('json')
    expect((await load({ 'tokenizer_config.json': config }))!.render([])).toBe('config <s></s>')
  })

  test('a named one of a list', async () => {
    const chat_template = [
      { name: 'default', template: 'one' },
      { name: 'tool_use', template: 'two' },
    ]
    const files = { 'tokenizer_config.json': { chat_template } }
    expect((await load(files))!.source).toBe('one')
    expect((await load(files, { name: 'tool_use' }))!.source).toBe('two')
    await expect(load(files, { name: 'rag' })).rejects.toMatchObject({
      code: 'config',
      hint: 'the model has: default, tool_use',
    })
  })

  test('a file of the user goes before, and may be a tokenizer_config.json', async () => {
    const file = join(folder, 'mine')
    await writeFile(file, 'mine {{ bos_token }}')
    expect((await load({ 'tokenizer_config.json': config }, { file }))!.render([])).toBe('mine <s>')
    await writeFile(file, JSON.stringify({ chat_template: 'inner' }))
    expect((await load({}, { file }))!.source).toBe('inner')
    await expect(load({}, { file: join(folder, 'nowhere') })).rejects.toMatchObject({ code: 'not-found' })
    if (existsSync('/dev/zero')) {
      await expect(load({}, { file: '/dev/zero' })).rejects.toMatchObject({
        code: 'config',
        message: 'chat template: longer than 64 MiB',
      })
    }
  })

  test('special tokens of an older model stand in special_tokens_map.json', async () => {
    const files = {
      'special_tokens_map.json': { bos_token: { content: '<bos>' } },
      'chat_template.jinja': '{{ bos_token }}',
    }
    expect((await load(files))!.render([])).toBe('<bos>')
  })

  test('a model without a template has none', async () => {
    expect(await load({ 'tokenizer_config.json': { bos_token: '<s>' } })).toBeUndefined()
    expect(await load({})).toBeUndefined()
  })

  test('a damaged file is named', async () => {
    await expect(load({ 'tokenizer_config.json': '{' })).rejects.toMatchObject({
      code: 'config',
      message: 'tokenizer_config.json: is not JSON',
    })
  })
})

describe('a file that is there, and is no template', () => {
  test('a link to nothing is damage, and not the same as no file', async () => {
    const model = await mkdtemp(join(folder, 'link-'))
    await symlink('nowhere', join(model, 'chat_template.jinja'))
    await expect(loadChatTemplate(model)).rejects.toMatchObject({
      code: 'config',
      message: 'chat_template.jinja: cannot be read',
      hint: 'it is a link to nothing: download the model again',
    })
  })

  test('bytes that are not UTF-8 are refused, in a file of the user as well', async () => {
    const model = await mkdtemp(join(folder, 'latin-'))
    const file = join(model, 'chat_template.jinja')
    await writeFile(file, Buffer.from('{{ "caf\xe9" }}', 'latin1'))
    await expect(loadChatTemplate(model)).rejects.toMatchObject({
      message: 'chat_template.jinja: the file is not UTF-8',
    })
    await expect(loadChatTemplate(folder, { file })).rejects.toMatchObject({
      exitCode: 78,
      message: 'chat template: the file is not UTF-8',
    })
  })
})

describe('rendering', () => {
  test('messages, the generation prompt and arguments of the user', async () => {
    const source =
      '{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}{% if not thinking %} no{% endif %}'
    expect(await render(source, hello)).toBe('user: Hello\nassistant: no')
    expect(await render(source, hello, { addGenerationPrompt: false, args: { thinking: true } })).toBe(
      'user: Hello\n',
    )
  })

  test('text of a user is never a template', async () => {
    expect(await render('{{ messages[0].content }}', [{ role: 'user', content: '{{ 7*7 }}{% raw %}' }])).toBe(
      '{{ 7*7 }}{% raw %}',
    )
  })

  test('tools and documents are none, as the reference passes them', async () => {
    expect(await render('{{ tools is none }} {{ documents is defined }} {{ what is defined }}')).toBe(
      'True True False',
    )
  })

  test.each([
    ['{{ none }} {{ true }} {{ missing }}.', 'None True .'],
    ["{{ [1, 'a', none, 1.0, {'k': 'it\\'s'}] }}", `[1, 'a', None, 1.0, {'k': "it's"}]`],
    [
      "{{ ' \\n a \\n'.strip() }}|{{ 'xxaxx'.strip('x') }}|{{ 'xxaxx'.lstrip('x') }}|{{ '\\n\\na\\n'.rstrip('\\n') }}",
      'a|a|axx|\n\na',
    ],
    ["{{ '\\ufeffa\\u00a0' | trim }}", '\ufeffa'],
    ['{% for x in missing %}x{% else %}none{% endfor %}', 'none'],
    ["{% for c in 'ab' %}{{ c }}-{% endfor %}", 'a-b-'],
    ["{% for a, b in [('x', 1), ('y', 2)] %}{{ a }}{{ b }}{% endfor %}", 'x1y2'],
    ["{% for k in {'a': 1, 'b': 2} %}{{ k }}{% endfor %}", 'ab'],
    ['{{ missing | length }} {{ none | selectattr("x") | list | length }}', '0 0'],
    ["{{ {'a': '<é>'} | tojson }}", '{"a": "<é>"}'],
    ['{% generation %}made{% endgeneration %}', 'made'],
    ["{{ {'a': 1} | string }} {{ [1] | list }}", "{'a': 1} [1]"],
    ['{{ range(3) | list }}{{ range(5, 1, -2) | list }}', '[0, 1, 2][5, 3]'],
  ])('%s', async (source, expected) => {
    expect(await render(source)).toBe(expected)
  })

  test('dates are those of the C locale', () => {
    const source = "{{ strftime_now('%d %B %Y, %b %A %H:%M:%S %-d %j %I%p %y %%') }}"
    expect(compileTemplate(source).run({}, at(new Date(2024, 6, 6, 15, 4, 5)))).toBe(
      '06 July 2024, Jul Saturday 15:04:05 6 188 03PM 24 %',
    )
  })
})

test('the time is that of the clock, or of SOURCE_DATE_EPOCH in UTC', async () => {
  const source = "{{ strftime_now('%F %T') }}"
  const before = process.env.SOURCE_DATE_EPOCH
  try {
    process.env.SOURCE_DATE_EPOCH = '1735689599'
    expect(await render(source)).toBe('2024-12-31 23:59:59')
    process.env.SOURCE_DATE_EPOCH = 'yesterday'
    await expect(render(source)).rejects.toMatchObject({ code: 'config' })
    process.env.SOURCE_DATE_EPOCH = ''
    expect((await render(source)).slice(0, 4)).toBe(String(new Date().getFullYear()))
  } finally {
    if (before === undefined) delete process.env.SOURCE_DATE_EPOCH
    else process.env.SOURCE_DATE_EPOCH = before
  }
})

describe('a template that cannot be used', () => {
  test.each([
    ["{{ raise_exception('no \\u001b[31msystem') }}", 'chat template: no \\x1b[31msystem'],
    ['{{ 1 | unknown_filter }}', "chat template: no filter named 'unknown_filter'"],
    ['{% macro f(f) %}{{ f(f) }}{% endmacro %}{{ f(f) }}', 'chat template: nests too deeply'],
  ])('%s', async (source, message) => {
    await expect(render(source)).rejects.toMatchObject({ code: 'config', exitCode: 78, message })
  })

  test('a mistake in its syntax', async () => {
    await expect(render('{% if %}')).rejects.toMatchObject({
      code: 'config',
      message: expect.stringMatching(/^chat template: /),
    })
  })

  test('a megabyte and more', async () => {
    await expect(render('x'.repeat((1 << 20) + 1))).rejects.toMatchObject({
      message: 'chat template: is longer than 1 MiB',
    })
  })

  const double = (set: string, out = '') =>
    `{% set n = namespace(x=['a']) %}{% set t = namespace(x='a') %}{% for i in range(99) %}${set}{% endfor %}${out}`

  test.each([
    ['for ever', '{% for a in range(99999) %}{% for b in range(99999) %}{{ a }}{% endfor %}{% endfor %}'],
    ['a long range', '{% for a in range(1000000000) %}x{% endfor %}'],
    ['doubled text', double('{% set t.x = t.x + t.x %}')],
    ['doubled text in a block', double('{% set b %}{{ t.x }}{{ t.x }}{% endset %}{% set t.x = b %}')],
    ['a doubled list', double('{% set n.x = n.x + n.x %}')],
    ['a list that holds itself twice', double('{% set n.x = [n.x, n.x] %}', '{{ n.x | tojson }}')],
    [
      'a tree of calls',
      '{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}',
    ],
    ['an indent', '{{ [1] | tojson(indent=1000000000) }}'],
    [
      'a product of texts',
      double(
        '{% if t.x | length < 99999 %}{% set t.x = t.x + t.x %}{% endif %}',
        "{{ t.x.replace('a', t.x) }}",
      ),
    ],
    ['sorting', '{% for a in range(9999) %}{% set x = range(99999) | list | sort %}{% endfor %}'],
    ['searching', '{% for a in range(99999) %}{{ messages[0].content in messages[0].content }}{% endfor %}'],
    ['depth of the source', `{{ ${'('.repeat(50_000)}1${')'.repeat(50_000)} }}`],
  ])('that goes on and on ends within 10 seconds: %s', async (_, source) => {
    const spent = processorTime()
    await expect(render(source, [{ role: 'user', content: 'hello '.repeat(50_000) }])).rejects.toMatchObject({
      exitCode: 78,
    })
    expect(spent()).toBeLessThan(10_000)
  })

  test('white space in the source is read as quickly as all else', async () => {
    const source = `${' '.repeat(400_000)}{% if x %}${' '.repeat(400_000)}{% endif %}`
    const spent = processorTime()
    expect(await render(source)).toBe('')
    expect(spent()).toBeLessThan(2000)
  })

  test('a long chat is none of these', async () => {
    const messages = Array.from({ length: 2000 }, (_, i) => ({
      role: i % 2 ? 'assistant' : 'user',
      content: 'word '.repeat(200),
    }))
    const source =
      '{% set seen = namespace(all=[]) %}{% for m in messages %}{% set seen.all = seen.all + [m] %}{{ m.content | trim }}{% endfor %}'
    expect((await render(source, messages)).length).toBe(2000 * 999)
  })
})

const DATA = '../shared/data/chat-templates'

describe.skipIf(!existsSync(DATA))('the reference (needs ../shared/data)', () => {
  const read = (name: string) => JSON.parse(readFileSync(`${DATA}/${name}`, 'utf8'))

  /** Its stored text was not made by Python: `messages | string` writes a list as Python does, this is the hash of that. */
  const BY_PYTHON: Record<string, string> = {
    'MadeAgents/Hammer2.1': 'abfc928b0a510de2e9fb1b1f05dc9ceb4a81d755e51062aab46759bdb3768de3',
  }

  test('the 53 cases', () => {
    const cases: [string, { chat_template: string; data: object; target: string }][] = Object.values(
      read('e2e-cases.json'),
    ).flatMap((group) => Object.entries(group as object))
    expect(cases).toHaveLength(53)
    for (const [name, { chat_template, data, target }] of cases) {
      const text = compileTemplate(chat_template).run({ ...data }, at(new Date(2025, 6, 10)))
      if (BY_PYTHON[name] === undefined) expect(text, name).toBe(target)
      else expect(createHash('sha256').update(text).digest('hex'), name).toBe(BY_PYTHON[name])
    }
  })

  /**
   * Python escapes what `+` joins to a text marked `safe`, so that this template shows `&#34;` to the model; the quotes are
   * left as they are here. And the other template renders here, where Python fails to write a generator as JSON.
   */
  const DIFFERENT = [
    'llama.cpp-2025-02/meetkai-functionary-medium-v3.1.jinja tool_use',
    'llama.cpp-ik/llama-cpp-deepseek-r1.jinja tool_use',
    'llama.cpp-ik/meetkai-functionary-medium-v3.1.jinja tool_use',
  ]

  test('the 279 renderings', async () => {
    const { contexts, templates } = read('renderings.json')
    const different: string[] = []
    let count = 0
    for (const [name, { template, rendered }] of Object.entries<{
      template: string
      rendered: Record<string, { rendered?: string }>
    }>(templates)) {
      const file = join(folder, 'template')
      await writeFile(file, template)
      const { source } = (await load({}, { file }))!
      for (const [context, expected] of Object.entries(rendered)) {
        count++
        if (attempt(source, contexts[context]) !== expected.rendered) different.push(`${name} ${context}`)
      }
    }
    expect(count).toBe(279)
    expect(different).toEqual(DIFFERENT)
  })

  /** `undefined` where the template refuses the messages, as in the reference. */
  function attempt(source: string, context: Record<string, unknown>): string | undefined {
    try {
      return compileTemplate(source).run(context, at(new Date(2024, 6, 26, 12)))
    } catch {
      return undefined
    }
  }
})
