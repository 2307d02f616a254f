/** Structured answers from the command line: what leaves, when nothing does, and what is refused before anything is loaded. */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv } from 'ajv'
import { afterAll, describe, expect, test } from 'vitest'
import { errorLines, testRows } from '../support/cli-rows.ts'
import { runHere } from '../support/run-here.ts'
import { HOME } from '../support/run-spout.ts'
import { EOS, removeToys, TOY_TEMPLATE, toyModel } from '../support/toy-model.ts'

const folder = mkdtempSync(join(HOME, 'structure-'))
const file = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text)
  return join(folder, name)
}
const on = (model: string, ...argv: string[]): string[] => ['-m', model, '--no-stdin', ...argv]

// What they would write is in none of the structures: the mask decides, and of equals the lowest id.
const toy = toyModel({
  scripts: {
    a: ['{"name": "', 'Ann', '", "n": ', '7', '}', EOS],
    b: ['{"name":"', 'Bob'],
    w: [' '],
    m: ['{"n": 1}', '\n', '{"n": 2}', '\n ', EOS],
    y: ['yes', 'terday', EOS],
    l: ['"ab"', EOS],
  },
})
const thinking = toyModel({
  scripts: {
    '?': ['<think>', 'hm {', '</think>', '\n\n', '{"n": ', '12', '}', EOS],
    '!': ['{"n":', '3', '}', EOS],
  },
  chatTemplate: `${TOY_TEMPLATE}{# <think> #}`,
})
const opened = toyModel({
  scripts: { '>': ['so ', '</think>', '{"n": ', '4', '}', EOS] },
  chatTemplate: `${TOY_TEMPLATE}{% if add_generation_prompt %}<think>{% endif %}`,
})
afterAll(removeToys)

/** With what must stand before a b. */
const LENIENT = '{"type":"string","maxLength":9,"pattern":"(?<='
const RECORD = 'name, n int 0..9'

describe.concurrent('an answer with a structure', () => {
  testRows([
    {
      proves: ['structure.valid', 'exit.0'],
      what: 'of fields',
      argv: on(toy, 'a', '--schema', RECORD),
      stdout: '{"name": "Ann", "n": 7}\n',
    },
    {
      proves: ['structure.valid'],
      what: 'of a JSON Schema, compact, with its value beside its text',
      argv: on(
        toy,
        'a',
        '--schema',
        '{"type":"object","properties":{"n":{"const":12345678901234567890}},"required":["n"]}',
        '--json',
        '--json-style',
        'compact',
      ),
      stdout:
        /"text":"\{\\"n\\":12345678901234567890\}","value":\{"n":12345678901234567890\},"finish_reason":"stop"/,
    },
    {
      proves: ['structure.valid'],
      what: 'one of some texts; it ends where nothing else can come',
      argv: on(toy, 'y', '--choice', 'yes', '--choice', 'no', '--stats'),
      stdout: 'yes\n',
      stderr: /finish {4}stop\n/,
    },
    {
      proves: ['structure.valid'],
      what: 'of an expression',
      argv: on(toy, 'y', '--regex', '(yes|no)(terday)?!{3}'),
      stdout: 'yesterday!!!\n',
    },
    {
      proves: ['structure.valid'],
      what: 'of a grammar, from the command line or a file, in each notation',
      argv: on(toy, 'y', '--grammar', 'root ::= ("yes" | "no") "terday"'),
      stdout: 'yesterday\n',
    },
    {
      proves: ['structure.valid'],
      what: 'of a grammar in a file',
      argv: on(toy, 'y', '--grammar', `@${file('g.lark', 'start: ("no" | "yes") "ter" "day"\n')}`),
      stdout: 'yesterday\n',
    },
    {
      proves: ['structure.valid'],
      what: 'of a grammar whose notation is named',
      argv: on(toy, 'y', '--grammar', "a ::= 'yes'", '--grammar-format', 'ebnf'),
      stdout: 'yes\n',
    },
    {
      proves: ['structure.valid'],
      what: 'of any JSON object',
      argv: on(toy, 'a', '--format', 'object'),
      stdout: '{"name": "Ann", "n": 7}\n',
    },
    {
      proves: ['structure.items'],
      what: 'documents line by line',
      argv: on(toy, 'm', '--items', 'n int', '--max-items', '2'),
      stdout: '{"n": 1}\n{"n": 2}\n',
    },
    {
      proves: ['structure.items'],
      what: 'at least so many; their values in a list',
      argv: on(toy, 'm', '--items', 'n int 1..9', '--min-items', '2', '--max-items', '2', '--json'),
      stdout: /"value":\[\{"n":1\},\{"n":2\}\]/,
    },
    {
      proves: ['structure.whole', 'exit.3'],
      what: 'that is not complete: nothing leaves, and the end is told',
      argv: on(toy, 'b', '--schema', RECORD, '-n', '9'),
      stderr:
        /^spout: error: structure: not complete: the limit of 9 tokens came first; it needs \d+ more at least; it ends "[^\n]+"\nspout: hint: /,
      code: 3,
    },
    {
      proves: ['structure.whole', 'structure.items'],
      what: 'of items: whole lines leave, the last half does not',
      argv: on(toy, 'm', '--items', 'n int', '-n', '3'),
      stdout: '{"n": 1}\n',
      stderr: /not complete: the limit of 3 tokens came first; it needs \d+ more at least; it ends/,
      code: 3,
    },
    {
      proves: ['structure.whole', 'json.error'],
      what: 'that is not complete, with --json',
      argv: on(toy, 'b', '--schema', RECORD, '-n', '9', '--json'),
      stdout: /^\{"error":\{"code":"incomplete","exit":3,"message":"structure: not complete: [^\n]*\n$/,
      stderr: /not complete/,
      code: 3,
    },
    {
      proves: ['structure.whole'],
      what: 'events tell how far it came',
      argv: on(toy, 'b', '--schema', RECORD, '-n', '9', '--jsonl'),
      stdout: /\{"event":"end",[^\n]*"finish_reason":"length"[^\n]*\n$/,
      stderr: /not complete/,
      code: 3,
    },
    {
      proves: ['structure.close', 'exit.3'],
      what: 'closed before the limit: valid, and said to be cut',
      argv: on(toy, 'b', '--schema', RECORD, '-n', '12', '--on-limit', 'close'),
      stdout: /^\{"name":"[^"]*","n":\d\}\n$/,
      stderr: /^spout: error: structure: closed at the limit of 12 tokens: /,
      code: 3,
    },
    {
      proves: ['structure.close'],
      what: 'a limit that no answer fits into',
      argv: on(toy, 'b', '--schema', RECORD, '-n', '3'),
      stderr:
        /^spout: error: max-tokens: 3 are too few: an answer that satisfies the structure needs \d+ tokens\n/,
      code: 2,
    },
    {
      proves: ['structure.lenient', 'exit.4'],
      what: 'what cannot be enforced is checked at the end: it fails',
      argv: on(toy, 'l', '--schema', `${LENIENT}c)b"}`, '--schema-lenient'),
      stderr:
        /^spout: schema: not enforced, checked at the end: \/pattern: [^\n]*\nspout: error: structure: the answer does not satisfy/,
      code: 4,
    },
    {
      proves: ['structure.lenient'],
      what: 'what cannot be enforced is checked at the end: it holds',
      argv: on(toy, 'l', '--schema', `${LENIENT}a)b"}`, '--schema-lenient', '-q'),
      stdout: '"ab"\n',
    },
    {
      proves: ['structure.valid'],
      what: 'a model that always wants a space gets at most one at a place',
      argv: on(toy, 'w', '--schema', 'a bool, b null'),
      stdout: /^\{\s*"a": (true|false),\s+"b": null\s*\}\n$/,
    },
    {
      proves: ['structure.valid'],
      what: 'bans and --min-new-tokens do not empty it, and a note says so once',
      argv: on(toy, 'y', '--choice', 'yes', '--min-new-tokens', '50', '--logit-bias', '121=-100'),
      stdout: 'yes\n',
    },
    {
      proves: ['structure.think'],
      what: 'reasoning is free, and goes to stderr; then the structure',
      argv: on(thinking, 'why?', '--schema', 'n int', '--schema-prompt', 'none'),
      stdout: '{"n": 12}\n',
      stderr: /hm \{/,
    },
    {
      proves: ['structure.think'],
      what: 'a model may answer at once',
      argv: on(thinking, 'go!', '--schema', 'n int', '--schema-prompt', 'none'),
      stdout: '{"n":3}\n',
    },
    {
      proves: ['structure.think'],
      what: 'a block that the prompt has opened',
      argv: on(opened, 'go', '--schema', 'n int', '--schema-prompt', 'none', '--think', 'hide'),
      stdout: '{"n": 4}\n',
    },
    {
      proves: ['structure.jump'],
      what: '--jump off says the same',
      argv: on(toy, 'a', '--schema', RECORD, '--jump', 'off'),
      stdout: '{"name": "Ann", "n": 7}\n',
    },
  ])

  test('[structure.whole out.file] a file gets all of it or keeps what it had', async () => {
    const path = file('answer.json', 'old\n')
    await runHere(on(toy, 'b', '--schema', RECORD, '-n', '9', '-o', path))
    expect(readFileSync(path, 'utf8')).toBe('old\n')
    await runHere(on(toy, 'a', '--schema', RECORD, '-o', path))
    expect(readFileSync(path, 'utf8')).toBe('{"name": "Ann", "n": 7}\n')
  })

  test('[structure.prompt] a chat model is told of the schema in its system message', async () => {
    const prompts = await Promise.all(
      [[], ['--schema-prompt', 'types'], ['--schema-prompt', 'none'], ['--raw']].map(async (more) => {
        const { stderr } = await runHere(
          on(thinking, 'go!', '--system', 'Be brief.', '--schema', 'n int 0..9: a count', '--trace', ...more),
        )
        return /trace prompt .* text="((?:[^"\\]|\\.)*)"/.exec(stderr)?.[1] ?? ''
      }),
    )
    expect(prompts[0]).toContain(
      'Be brief.\\n\\nAnswer with JSON and nothing else. It satisfies this JSON Schema:\\n{\\"type\\":\\"object\\"',
    )
    expect(prompts[1]).toContain('type Answer = {\\n  n: number // a count; at least 0; at most 9\\n}')
    expect(prompts[2]).not.toContain('Answer with JSON')
    expect(prompts[3]).not.toContain('Answer with JSON')
  })

  test('[structure.valid] the embedded model, any seed: what ends well parses and is valid', async () => {
    const schema = {
      type: 'object',
      properties: {
        name: { type: 'string', maxLength: 20 },
        ok: { type: 'boolean' },
        n: { type: 'integer', minimum: 0 },
      },
      required: ['name', 'ok', 'n'],
      additionalProperties: false,
    }
    const valid = new Ajv().compile(schema)
    const path = file('schema.json', JSON.stringify(schema, null, 2))
    const seeds = Array.from({ length: 4 }, (_, i) => i + 1)
    const runs = await Promise.all(
      seeds.map((seed) =>
        runHere(['Once', '--no-stdin', '--schema', path, '--seed', `${seed}`, '-t', '1.5', '-n', '120']),
      ),
    )
    for (const { code, stdout } of runs) {
      expect([0, 3]).toContain(code)
      expect(code === 3 ? stdout === '' : valid(JSON.parse(stdout))).toBe(true)
    }
    expect(runs.some(({ code }) => code === 0)).toBe(true)
  })
})

describe.concurrent('no model is run', () => {
  testRows([
    {
      proves: ['structure.explain'],
      what: '--explain says what is enforced and how it begins',
      argv: ['--schema', 'id int 1..9', '--explain'],
      stdout:
        /^structure {2}JSON Schema, [\s\S]*\/properties\/id: type, minimum, maximum\n[\s\S]*begins {5}"\{"\n$/,
    },
    {
      proves: ['structure.check'],
      what: '--check: it satisfies it',
      argv: ['--schema', 'n int', '--check', file('good.json', '{"n": 1}\n')],
      stdout: 'it satisfies the structure\n',
    },
    {
      proves: ['structure.check'],
      what: '--check: it does, written otherwise',
      argv: ['--schema', 'n int, m int', '--check', file('other.json', '{"m":1,"n" : 2}')],
      stdout:
        /^it satisfies the structure, though an answer would differ at byte 2 \(line 1, column 3\): "n\\":" is due\n$/,
    },
    {
      proves: ['structure.check', 'exit.4'],
      what: '--check: it does not, and where',
      argv: ['--regex', '[a-c]+!', '--check', file('bad.txt', 'abd!')],
      stderr: errorLines(
        `${join(folder, 'bad.txt')}: it does not satisfy the structure at byte 2 (line 1, column 3): "!" or "a" or "b" or "c" is due`,
      ),
      code: 4,
    },
    {
      proves: ['structure.schema'],
      what: 'spout schema prints what fields stand for',
      argv: ['schema', 'name,', 'n', 'int'],
      stdout: /^\{\n {2}"type": "object",\n[\s\S]*"additionalProperties": false\n\}\n$/,
    },
    {
      proves: ['structure.schema'],
      what: 'fields that are none',
      argv: ['schema', 'name whatever'],
      stderr: /^spout: error: schema: line 1, column 6: there is no type whatever\n/,
      code: 2,
    },
  ])
})

describe.concurrent('what cannot be used is refused before anything is loaded', () => {
  testRows([
    {
      proves: ['structure.refused', 'exit.2'],
      what: 'a keyword, by its pointer',
      // A model that is not there: nothing of it is looked for.
      argv: ['-m', 'none/such', '--no-stdin', 'x', '--schema', '{"properties":{"id":{"pattern":"(?<=a)b"}}}'],
      stderr: /^spout: error: schema: \/properties\/id\/pattern: position 2: lookbehind/,
      code: 2,
    },
    {
      proves: ['structure.refused', 'exit.2'],
      what: 'what contradicts it',
      argv: ['-m', 'none/such', '--no-stdin', 'x', '--regex', 'b', '--stop', 'x'],
      stderr: /^spout: error: --regex and --stop: only one of them at a time\n$/,
      code: 2,
    },
  ])
})

test('[structure.valid] --open-objects lets other keys come, as the standard has it', async () => {
  const check = (...more: string[]) =>
    runHere([
      '--schema',
      '{"type":"object","properties":{"n":{"type":"integer"}}}',
      '--check',
      file('open.json', '{"n":1,"x":2}'),
      ...more,
    ])
  const [closed, open] = await Promise.all([check(), check('--open-objects')])
  expect([closed.stdout, open.stdout]).toEqual([
    expect.stringContaining('though an answer would differ at byte 6'),
    'it satisfies the structure\n',
  ])
})
