/** Conversations: piped, and typed on a terminal. */
import { mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { MessageLines } from '../../src/cli/chat/message-lines.ts'
import { Transcript } from '../../src/cli/chat/transcript.ts'
import { literal, testRows } from '../support/cli-rows.ts'
import { runHere } from '../support/run-here.ts'
import { HOME, said } from '../support/run-spout.ts'
import { CTRL_C, CTRL_D, hasTerminal, onTerminal } from '../support/terminal.ts'
import { EOS, removeToys, type Step, TOY_TEMPLATE, toyModel } from '../support/toy-model.ts'

/** Pieces of one character: what is said is encoded again as it was. */
const scripts: Readonly<Record<string, readonly Step[]>> = {
  '?': ['Y', 'e', 's', EOS],
  '!': ['N', 'o', EOS],
  d: ['(', ')'],
}
const toy = toyModel({ scripts, chatTemplate: TOY_TEMPLATE })
const plain = toyModel({ scripts: { a: ['[', ']', EOS], b: ['<', '>', EOS] } })
const slow = toyModel({ scripts, chatTemplate: TOY_TEMPLATE, rounds: 20_000 })
afterAll(removeToys)
const folder = mkdtempSync(join(HOME, 'chat-'))
const chat = (...argv: string[]): string[] => ['chat', '-m', toy, '--commands', ...argv]
const lines = (...all: string[]): string => `${all.join('\n')}\n`

/** What the model was given in each turn. */
function prompts(stderr: string): { tokens: number; kept: number; text: string }[] {
  return Array.from(
    stderr.matchAll(/^trace prompt tokens=(\d+) kept=(\d+) text=(.*)$/gm),
    ([, tokens, kept, text]) => ({
      tokens: Number(tokens),
      kept: Number(kept),
      text: JSON.parse(text!),
    }),
  )
}

describe('[chat.lines] lines and messages', () => {
  const messages = (...all: string[]): string[] => {
    const assembled = new MessageLines()
    const found = all.flatMap((line) => assembled.push(line) ?? [])
    return assembled.isOpen ? [...found, assembled.end()] : found
  }
  test.each([
    [
      ['a', 'b'],
      ['a', 'b'],
    ],
    [['a\\', 'b'], ['a\nb']],
    [
      ['a\\', 'b\\', '', 'c'],
      ['a\nb\n', 'c'],
    ],
    [
      ['"""', 'a\\', '', 'b', '"""', 'c'],
      ['a\\\n\nb', 'c'],
    ],
    [
      ['"""a"""', 'b'],
      ['a', 'b'],
    ],
    [['"""a', 'b"""'], ['a\nb']],
    [['"""', 'a'], ['\na']],
    [[''], ['']],
  ])('%j', (all, expected) => {
    expect(messages(...all)).toEqual(expected)
  })
})

describe.concurrent('piped', () => {
  const turn1 = '<|im_start|>user hi?<|im_end|><|im_start|>?'
  const turn2 =
    '<|im_start|>user hi?<|im_end|><|im_start|>assistant Yes<|im_end|><|im_start|>user so!<|im_end|><|im_start|>!'

  test('[chat.keeps] a turn reads only what is new', async () => {
    const { stdout, stderr, code } = await runHere(chat('--trace', '--stats'), {
      stdin: lines('hi?', '', 'so!'),
    })
    expect([stdout, code]).toEqual(['Yes\nNo\n', 0])
    const [first, second, ...more] = prompts(stderr)
    expect(more).toEqual([])
    expect(first).toMatchObject({ text: turn1, kept: 0 })
    // The message, and the three tokens that end it and open the answer.
    const own = 'so!'.length + 3
    expect(second).toMatchObject({ text: turn2, kept: second!.tokens - own })
    expect(stderr).toMatch(new RegExp(`^prompt {4}${own} tokens in .*, ${second!.kept} kept`, 'm'))
    // All but the opening of the first answer, which the template writes in another way once it is said.
    const settled = second!.kept - (first!.tokens - 1)
    expect(stderr).toMatch(new RegExp(`^settled {3}${settled} tokens before it, in [\\d.]+ ms$`, 'm'))
    expect(stderr.match(/^settled /gm)).toHaveLength(1)
  })

  test.each([
    ['greedy', ['-t', '0'], [3]],
    ['with draws', ['-t', '0.9', '--seed', '5', '--repetition-penalty', '1.2'], [1, 3]],
  ])(
    '[chat.keeps] in four bits its text is that of a new process, %s',
    { timeout: 240_000 },
    async (name, sampling, after) => {
      const template = join(folder, 'template.jinja')
      writeFileSync(
        template,
        "{% for m in messages %}{{ m.role + ':' + m.content + '\n\n' }}{% endfor %}{{ 'assistant:' }}",
      )
      const talk = (...messages: string[]) =>
        runHere(['chat', '--commands', '--chat-template', template, '-n', '150', '--stats', ...sampling], {
          stdin: lines(...messages),
        })
      const saved = (turns: number): string => join(folder, `${name}-${turns}.json`)
      const messages = ['The prince said:', 'What did the king answer?', 'Then tell me of the war.', 'Why?']
      const whole = await talk(...messages.flatMap((message, i) => [message, `/save ${saved(i + 1)}`]))
      const figures = [...whole.stderr.matchAll(/^prompt {4}(\d+) tokens/gm)].map(([, tokens]) =>
        Number(tokens),
      )
      expect(figures.slice(1).every((tokens) => tokens < 20)).toBe(true)
      for (const turns of after) {
        const fresh = await talk(`/load ${saved(turns)}`, messages[turns]!, `/save ${saved(turns)}.fresh`)
        expect(whole.stdout).toContain(fresh.stdout)
        const answers = [`${saved(turns)}.fresh`, saved(turns + 1)].map((path) => readFileSync(path, 'utf8'))
        expect(answers[0]).toBe(answers[1])
        expect(fresh.stderr).not.toContain('settled')
      }
    },
  )

  test('[chat.keeps chat.commands] an answer that is given anew is that of a new process', async () => {
    const ask = ['chat', '--commands', '-n', '60', '-t', '0.9', '--seed', '7', '-q', 'Once upon a time']
    const { stdout } = await runHere(ask, { stdin: lines('/regenerate') })
    const [first, again] = await Promise.all([runHere(ask), runHere(ask.with(ask.indexOf('7'), '8'))])
    expect(stdout).toBe(first.stdout + again.stdout)
    expect(again.stdout).not.toBe(first.stdout)
  })

  test('[chat.keeps] and what a model without a template says is continued', async () => {
    const { stdout, stderr } = await runHere(['chat', '-m', plain, '--trace'], {
      stdin: lines('a', 'b', 'a'),
    })
    expect(stdout).toBe('[]\n<>\n[]\n')
    expect(stderr).toContain(`spout: ${plain} has no chat template: it continues the text\n`)
    const turns = prompts(stderr)
    expect(turns.map(({ text }) => text)).toEqual(['a', 'a[]\n\nb', 'a[]\n\nb<>\n\na'])
    // Two tokens are run in any case.
    expect(turns.map(({ kept }) => kept)).toEqual([0, 'a[]\n'.length, 'a[]\n\nb<>\n'.length])
  })

  testRows([
    {
      proves: ['chat.lines'],
      what: 'messages of several lines, and the first from the command line',
      argv: chat('-q', 'really?'),
      stdin: 'one\\\ntwo!\n"""\nthree\n!"""\nfour?',
      stdout: 'Yes\nNo\nNo\nYes\n',
    },
    {
      proves: ['chat.commands'],
      what: '/help, /stats before anything, /exit',
      argv: chat(),
      stdin: lines('/help', '/stats', '/regenerate', '/exit', 'never?'),
      stderr:
        /^ {2}\/system \[text\] .*[\s\S]*\/help +this list\nspout: nothing was said yet\nspout: nothing was said yet\n$/,
    },
    {
      proves: ['chat.commands'],
      what: 'an unknown one ends a pipe, with the nearest name',
      argv: chat(),
      stdin: lines('/sytem x', 'never?'),
      stderr: /^spout: error: \/sytem: no such command\nspout: hint: did you mean \/system\n$/,
      code: 2,
    },
    {
      proves: ['chat.lines'],
      what: 'a path is no command, nor is a line that begins with a space',
      argv: chat('-q'),
      stdin: lines('/etc/hosts?', ' /exit!'),
      stdout: 'Yes\nNo\n',
    },
    {
      proves: ['I5', 'chat.lines'],
      what: 'bytes that are not UTF-8',
      argv: chat('-q'),
      stdin: Buffer.from('hi?\n\xff\n', 'latin1'),
      stdout: 'Yes\n',
      stderr: /^spout: error: stdin: not UTF-8 at byte 4\n/,
      code: 65,
    },
    {
      proves: ['chat.full', 'chat.keeps'],
      what: 'a conversation that is too long goes on without its oldest turns',
      argv: chat('--ctx-size', '64'),
      stdin: lines('hi?', `${'x'.repeat(39)}?`, 'so!'),
      stdout: 'Yes\nYes\nNo\n',
      stderr:
        /^spout: the context of 64 tokens is full: the oldest 1 turn left out from here on\nspout: the context of 64 tokens is full: the oldest 1 turn left out from here on\n$/,
    },
    {
      proves: ['G3', 'chat.full'],
      what: 'a message that is too long even alone',
      argv: chat('--ctx-size', '64', '-s', 'be brief'),
      stdin: lines('hi?', 'x'.repeat(50)),
      stdout: 'Yes\n',
      stderr:
        /^spout: error: message: it is \d+ tokens with the system message, even alone; the context holds 64\nspout: hint: shorten it, or \/system - takes the system message away\n$/,
      code: 65,
    },
    {
      proves: ['chat.full', 'chat.commands'],
      what: 'an answer that fills the context is said to be cut; /forget makes room',
      argv: chat('--ctx-size', '64'),
      stdin: lines('hi?', 'd', '/forget', '/forget 5', '/forget'),
      stdout: /^Yes\n(\(\))+\(?\n$/,
      stderr:
        /^spout: cut: the context is full; \/forget makes room, .*\nspout: forgot 1 turn, 1 turn left\nspout: forgot 1 turn, 0 turns left\nspout: nothing was said yet\n$/,
    },
    {
      proves: ['chat.full'],
      what: 'an answer that -n cuts is said to be cut',
      argv: chat('-n', '2'),
      stdin: lines('hi?'),
      stdout: 'Ye\n',
      stderr: /^spout: cut at 2 tokens, as -n says\n$/,
    },
    {
      proves: ['chat.keeps'],
      what: 'what the user said stays when the answer is empty',
      argv: chat('--trace'),
      stdin: lines('My name is Bob.', 'hi?'),
      stdout: 'Yes\n',
      stderr:
        /spout: the answer is empty; the message stays\n[\s\S]*user My name is Bob\.<\|im_end\|><\|im_start\|>assistant <\|im_end\|><\|im_start\|>user hi\?/,
    },
    {
      proves: ['chat.pipe'],
      what: 'commands in a pipe are messages, and said to be, unless --commands obeys them',
      argv: ['chat', '-m', toy],
      stdin: lines('/save /no/such/file?', '/usr is what?', '/exit'),
      stdout: 'Yes\nYes\n',
      stderr:
        /^spout: \/save from a pipe is a message; --commands obeys it\nspout: \/exit from a pipe is a message; --commands obeys it\nspout: the answer is empty; the message stays\n$/,
    },
    {
      proves: ['chat.pipe', 'I8'],
      what: 'a line that does not end',
      argv: chat('-q'),
      stdin: `hi?\n${'x'.repeat(9 << 20)}`,
      stdout: 'Yes\n',
      stderr: /^spout: error: stdin: a line is longer than 8 MiB\n/,
      code: 65,
    },
    {
      proves: ['A4'],
      what: 'flags that a conversation has no use for',
      argv: ['chat', '--json'],
      stderr: /^spout: error: --json: no such option\n/,
      stdout: /^\{"error"/,
      code: 2,
    },
  ])

  test('[chat.commands] system, save, reset, load, regenerate', async () => {
    const path = join(folder, 'saved.json')
    const { stdout, stderr } = await runHere(chat('--trace'), {
      stdin: lines(
        '/system be brief',
        'hi?',
        `/save ${path}`,
        '/regenerate',
        '/reset',
        `/load ${path}`,
        'so!',
        '/system -',
      ),
    })
    expect(stdout).toBe('Yes\nYes\nNo\n')
    expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual({
      model: toy,
      messages: [
        { role: 'system', content: 'be brief' },
        { role: 'user', content: 'hi?' },
        { role: 'assistant', content: 'Yes' },
      ],
    })
    const asked = '<|im_start|>system be brief<|im_end|><|im_start|>user hi?<|im_end|>'
    expect(prompts(stderr).map(({ text }) => text)).toEqual([
      `${asked}<|im_start|>?`,
      `${asked}<|im_start|>?`,
      `${asked}<|im_start|>assistant Yes<|im_end|><|im_start|>user so!<|im_end|><|im_start|>!`,
    ])
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(stderr.match(/^spout: .*$/gm)).toEqual([
      'spout: system: be brief',
      'spout: saved 1 turn',
      'spout: forgotten',
      'spout: loaded 1 turn',
      'spout: no system message',
    ])
  })

  test('[chat.commands] /save takes no other file away, and knows its own', async () => {
    const [other, own] = [join(folder, 'other.txt'), join(HOME, 'own-save.json')]
    writeFileSync(other, 'old')
    const refused = await runHere(chat(), { stdin: lines('hi?', `/save ${other}`, 'never?') })
    expect(refused.stderr).toContain(
      `spout: error: ${other}: there is a file already\nspout: hint: /save! ${other} replaces it\n`,
    )
    expect([refused.code, readFileSync(other, 'utf8')]).toEqual([74, 'old'])
    const again = await runHere(chat(), {
      stdin: lines(
        'a\u2028\u0085\u202e?',
        '/save ~/own-save.json',
        'hi?',
        '/save ~/own-save.json',
        `/save! ${other}`,
      ),
    })
    expect(again.stderr).toBe('spout: saved 1 turn\nspout: saved 2 turns\nspout: saved 2 turns\n')
    expect(readFileSync(own, 'utf8')).toBe(readFileSync(other, 'utf8'))
    expect(readFileSync(own, 'utf8')).toContain('"a\\u2028\\u0085\\u202e?"')
    expect(statSync(own).mode & 0o777).toBe(0o600)
  })

  test('[chat.continue] goes on with the last conversation, in a pipe too', async () => {
    const env = { SPOUT_CACHE_DIR: join(folder, 'continued') }
    const say = (argv: string[], ...messages: string[]) =>
      runHere(chat(...argv), { env, stdin: lines(...messages) })
    const none = await say(['--continue', '-s', 'be brief'], 'hi?')
    expect(none.stderr).toBe('spout: no conversation was kept; this is a new one\n')
    // What nobody asked to keep takes no place of what is kept.
    await say([], 'forget me?')
    const more = await say(['--continue', '--trace'], 'so!')
    expect(more.stderr).toContain('spout: goes on after 1 turn; the last was about "hi?"\n')
    expect(prompts(more.stderr)[0]!.text).toContain('system be brief<|im_end|><|im_start|>user hi?')
    const path = join(folder, 'continued/chat-last.json')
    expect(statSync(path).mode & 0o777).toBe(0o600)
    await say(['--continue', '--no-keep'], 'hi?')
    expect(JSON.parse(readFileSync(path, 'utf8')).messages).toHaveLength(5)
  })

  test.each([
    ['no JSON', '{', 'not JSON'],
    ['no messages', '{"messages": 3}', 'it has no list of messages'],
    ['no text', '{"messages": [{"role": "user", "content": 3}]}', 'role and content must be texts'],
    [
      'one turn too many',
      '{"messages": [{"role": "user", "content": "a"}]}',
      'user and assistant do not take turns',
    ],
  ])('[chat.commands] /load of what is no conversation: %s', (name, content, why) => {
    const path = join(folder, `${name}.json`)
    writeFileSync(path, content)
    const transcript = new Transcript('kept')
    expect(() => transcript.load(path)).toThrow(
      expect.objectContaining({
        exitCode: 65,
        message: expect.stringMatching(new RegExp(`^${literal(path)}.*: no conversation: ${literal(why)}$`)),
      }),
    )
    expect([transcript.system, transcript.turns]).toEqual(['kept', []])
  })

  test('[chat.commands] /load of what is no conversation ends a pipe', async () => {
    const path = join(folder, 'damaged.json')
    writeFileSync(path, '{')
    const { stderr, code } = await runHere(chat(), { stdin: lines(`/load ${path}`, 'never?') })
    expect(stderr).toMatch(new RegExp(`^spout: error: ${literal(path)}: no conversation: not JSON\\n`))
    expect(code).toBe(65)
  })

  test('[exit.signal P6] a signal delivers what was said, and ends it', async () => {
    const { stdout, signal } = await runHere(['chat', '-m', slow], {
      stdin: 'open',
      onStart: async (child) => {
        child.stdin?.write('hi?\nd\n')
        await said(child.stdout, '()(')
        child.kill('SIGTERM')
      },
    })
    expect(signal).toBe('SIGTERM')
    expect(stdout).toMatch(/^Yes\n(\(\))*\(?\n$/)
  })

  test('[exit.141] the reader that leaves ends it', async () => {
    const { code, stderr } = await runHere(['chat', '-m', slow, '-q'], {
      stdin: 'open',
      onStart: async (child) => {
        child.stdin?.write('d\n')
        await said(child.stdout, '(')
        child.stdout?.destroy()
      },
    })
    expect([code, stderr]).toEqual([141, ''])
  })
})

describe.runIf(hasTerminal).concurrent('typed (needs script of util-linux)', () => {
  const env = { SPOUT_CACHE_DIR: join(folder, 'own') }

  test('[chat.history chat.commands files.own] lines, their history for their owner, and the end by Ctrl-D', async () => {
    const type = (line: string) =>
      onTerminal(`spout chat -m ${toy}`, {
        env,
        onStart: async (terminal) => {
          await terminal.shows('> ')
          terminal.type(line)
          await terminal.shows('Yes')
          await terminal.shows('> ')
          terminal.type(CTRL_D)
        },
      })
    const first = await type('hi?\r')
    expect(first.screen).toMatch(/fp32\); \/help lists the commands, Ctrl-D leaves\n/)
    expect(first.screen).toContain('Yes\n')
    expect(first.code).toBe(0)
    const path = join(folder, 'own/chat-history')
    expect(readFileSync(path, 'utf8')).toBe('hi?\n')
    const last = join(folder, 'own/chat-last.json')
    expect(JSON.parse(readFileSync(last, 'utf8')).messages).toHaveLength(2)
    for (const file of [path, last]) expect(statSync(file).mode & 0o777).toBe(0o600)
    // The line before comes back with the arrow, in another conversation.
    const second = await type('\x1b[A\r')
    expect(second.screen).toContain('hi?')
    expect(second.code).toBe(0)
  })

  test('[chat.lines] pasted lines are one message', async () => {
    const { screen, code } = await onTerminal(`spout chat --trace -m ${toy}`, {
      env: { ...env, SPOUT_CACHE_DIR: join(folder, 'other') },
      onStart: async (terminal) => {
        await terminal.shows('> ')
        terminal.type('one\rtwo\rthree!')
        await terminal.shows('three!')
        terminal.type('\r')
        await terminal.shows('eos=true')
        await terminal.shows('> ')
        terminal.type(CTRL_D)
      },
    })
    expect(code).toBe(0)
    expect(prompts(screen.replace(/\r|\x1b\[\?2004[hl]/g, '')).map(({ text }) => text)).toEqual([
      '<|im_start|>user one\ntwo\nthree!<|im_end|><|im_start|>!',
    ])
  })

  test('[chat.interrupt P6] Ctrl-C stops the answer, clears a line, and leaves at the second', async () => {
    const { screen, code } = await onTerminal(`spout chat -m ${slow}; echo never`, {
      env: { ...env, SPOUT_CACHE_DIR: join(folder, 'third') },
      onStart: async (terminal) => {
        await terminal.shows('> ')
        terminal.type('d\r')
        await terminal.shows('()(')
        terminal.type(CTRL_C)
        await terminal.shows('> ')
        terminal.type('half a line')
        await terminal.shows('half a line')
        terminal.type(CTRL_C)
        await terminal.shows('> ')
        terminal.type('hi?\r')
        await terminal.shows('Yes')
        await terminal.shows('> ')
        terminal.type(CTRL_C)
        await terminal.shows('once more')
        await terminal.shows('> ')
        terminal.type(CTRL_C)
      },
    })
    expect(screen).not.toContain('never')
    expect(code).toBe(130)
  })

  test('[chat.commands] a mistake ends the turn, not the conversation', async () => {
    const { screen, code } = await onTerminal(`spout chat -m ${toy}`, {
      env: { ...env, SPOUT_CACHE_DIR: '/dev/null/no' },
      onStart: async (terminal) => {
        await terminal.shows('> ')
        terminal.type('/load /no/such\r')
        await terminal.shows('cannot be read: ENOENT')
        await terminal.shows('> ')
        terminal.type('hi?\r')
        await terminal.shows('Yes')
        await terminal.shows('> ')
        terminal.type('/exit\r')
      },
    })
    expect(code).toBe(0)
    expect(screen).toContain('spout: error: /no/such: cannot be read: ENOENT')
  })
})
