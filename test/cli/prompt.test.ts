/** What the model is given. The model ends at once; the trace shows the prompt it got. */
import { mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { errorLines, type Row, testRows } from '../support/cli-rows.ts'
import { runHere } from '../support/run-here.ts'
import { HOME, type RunResult } from '../support/run-spout.ts'
import { removeToys, TOY_TEMPLATE, toyModel } from '../support/toy-model.ts'

const plain = toyModel({ scripts: {} })
const chat = toyModel({ scripts: {}, chatTemplate: TOY_TEMPLATE })
const small = toyModel({ scripts: {}, contextLength: 16 })
afterAll(removeToys)

const folder = mkdtempSync(join(HOME, 'prompt-'))
const file = (name: string, content: string | Uint8Array): string => {
  writeFileSync(join(folder, name), content)
  return name
}

const NO_SYSTEM =
  "{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}{{ messages[0].content }}"

/** The text and the number of tokens of the prompt, as the trace tells them. */
function promptOf({ stderr }: RunResult): { text: string; tokens: number } {
  const [, tokens, text] = /^trace prompt tokens=(\d+) kept=0 text=(".*")$/m.exec(stderr) ?? []
  return { text: JSON.parse(text ?? 'null'), tokens: Number(tokens) }
}

/** The prompt is this and nothing else. */
const gets = (text: string, row: Omit<Row, 'check' | 'stderr'>): Row => ({
  cwd: folder,
  ...row,
  argv: ['-m', plain, '--trace', ...(row.argv ?? [])],
  stderr: /^trace loaded/,
  check: (result) => expect(promptOf(result)).toEqual({ text, tokens: Buffer.byteLength(text) }),
})

describe.concurrent('what it is made of', () => {
  testRows([
    gets('a b  c', {
      proves: ['prompt.words', 'G1'],
      what: 'words',
      argv: ['a', 'b', ' c'],
    }),
    gets('one\n\ntwo\n\nthree\n\nfour', {
      proves: ['prompt.order', 'prompt.newline'],
      what: 'files, stdin, words',
      argv: ['-f', file('one', 'one\n'), '--file', file('two', 'two\r\n'), 'four'],
      stdin: 'three\n',
    }),
    gets('piped\n\nin\n', {
      proves: ['prompt.newline'],
      what: 'stdin alone, all newlines but the last',
      stdin: 'piped\n\nin\n\n',
    }),
    gets('piped\n\nprompt', {
      proves: ['prompt.dash'],
      what: 'a dash among the words',
      argv: ['prompt', '-'],
      stdin: 'piped',
    }),
    gets('piped\n\nprompt - here', {
      proves: ['prompt.dash'],
      what: 'a dash as a file; one inside a word is text',
      argv: ['-f', '-', 'prompt - here'],
      stdin: 'piped',
    }),
    gets('a\\nb\\t%s $HOME', {
      proves: ['prompt.literal'],
      what: 'backslashes',
      argv: ['a\\nb\\t%s $HOME'],
    }),
    gets('a\u0000b\u0001\u001b[1m\u007f\u0085\u2028😀é\u0301\ufeffz\n', {
      proves: ['prompt.bytes', 'I7', 'I6'],
      what: 'every kind of character, and a byte order mark dropped once',
      stdin: '\ufeffa\u0000b\u0001\u001b[1m\u007f\u0085\u2028😀é\u0301\ufeffz\n\n',
    }),
    gets('x', {
      proves: ['prompt.silence', 'I9'],
      what: '--no-stdin does not wait for a silent pipe',
      argv: ['--no-stdin', 'x'],
      stdin: 'open',
    }),
    gets('x', {
      proves: ['I3'],
      what: 'stdin closed',
      shell: 'spout "$@" <&-',
      argv: ['x'],
    }),
    gets('say \ufffd', {
      proves: ['A9'],
      what: 'a replacement character that is meant',
      argv: ['say \ufffd'],
    }),
    gets('x', {
      proves: ['A11'],
      what: 'a bare environment',
      argv: ['x', '--no-stdin'],
      env: { HOME: undefined, TMPDIR: undefined, LANG: 'C', TERM: 'dumb', PATH: undefined },
    }),
    gets('chat with me', {
      proves: ['options.after'],
      what: 'the name of a command after --',
      argv: ['--', 'chat', 'with', 'me'],
    }),
  ])
})

describe.concurrent('a chat template', () => {
  const asked = (text: string, row: Omit<Row, 'check' | 'stderr'>): Row => ({
    ...row,
    cwd: folder,
    argv: ['-m', chat, '--trace', '--no-stdin', ...(row.argv ?? [])],
    stderr: /^trace loaded/,
    check: (result) => expect(promptOf(result).text).toBe(text),
  })
  testRows([
    asked('<|im_start|>system be brief<|im_end|><|im_start|>user hi!<|im_end|><|im_start|>!', {
      proves: ['prompt.chat'],
      what: 'gets messages',
      argv: ['--system', 'be brief', 'hi!'],
    }),
    {
      proves: ['prompt.chat', 'exit.78'],
      what: 'whose template takes no system message',
      argv: [
        '-m',
        chat,
        '--chat-template',
        join(folder, file('no-system.jinja', NO_SYSTEM)),
        '-s',
        'be brief',
        'hi!',
      ],
      stderr: errorLines(
        'chat template: System role not supported',
        'put the system message into the prompt',
      ),
      code: 78,
    },
    asked('<|im_start|>system from a file<|im_end|><|im_start|>user hi!<|im_end|><|im_start|>!', {
      proves: ['prompt.chat'],
      what: 'a system message from a file',
      argv: ['--system-file', file('system', 'from a file\n'), 'hi!'],
    }),
    asked('be brief\n\nhi!', {
      proves: ['prompt.raw'],
      what: 'is left away by --raw',
      argv: ['--raw', '--system', 'be brief', 'hi!'],
    }),
    asked('[hi! 7]', {
      proves: ['prompt.chat'],
      what: 'of the user, with a variable',
      argv: [
        ...['--chat-template', file('mine.jinja', '[{{ messages[0].content }} {{ n + 1 }}]')],
        ...['--template-arg', 'n=6', 'hi!'],
      ],
    }),
    {
      proves: ['exit.78'],
      what: 'that fails is named, and how to do without',
      cwd: folder,
      argv: [
        '-m',
        chat,
        '--no-stdin',
        '--chat-template',
        file('bad.jinja', "{{ raise_exception('no') }}"),
        'x',
      ],
      stderr: /^spout: error: chat template: .*no\nspout: hint: --raw.*\n$/,
      code: 78,
    },
  ])

  test('[prompt.special I10] special-token text of a user is text', async () => {
    const run = (...argv: string[]) =>
      runHere(['-m', chat, '--no-stdin', '--json', '--max-tokens', '1', 'a<|im_end|>b', ...argv])
    const [text, special] = await Promise.all([run(), run('--allow-special')])
    const tokens = (result: RunResult) => JSON.parse(result.stdout).usage.prompt_tokens as number
    expect(tokens(text) - tokens(special)).toBe('<|im_end|>'.length - 1)
  })
})

describe.concurrent('what is refused', () => {
  const refused = (proves: string[], what: string, row: Partial<Row>): Row => ({
    proves,
    what,
    code: 65,
    cwd: folder,
    ...row,
    argv: ['-m', '/nonexistent/never/looked/at', ...(row.argv ?? [])],
  })
  const empty = errorLines('prompt: it is empty', 'spout "your prompt", or pipe a text in')
  testRows([
    refused(['prompt.empty', 'I2', 'exit.65'], 'nothing at all', { stderr: empty }),
    refused(['I2'], 'white space', { stdin: ' \n\t\n', stderr: empty }),
    refused(['I3'], 'stdin closed and nothing else', { shell: 'spout "$@" <&-', stderr: empty }),
    refused(['I3', 'exit.66'], 'stdin a folder', {
      shell: 'spout "$@" x </',
      stderr: errorLines('stdin: it is a folder'),
      code: 66,
    }),
    refused(['prompt.utf8', 'I5'], 'a bad byte, with its offset', {
      stdin: Buffer.from([0x61, 0xe2, 0x82, 0xac, 0xff, 0x62]),
      stderr: errorLines('stdin: not UTF-8 at byte 4', 'iconv -f LATIN1 -t UTF-8'),
    }),
    refused(['I5'], 'a character that is cut, where it begins', {
      argv: ['-f', file('cut', Buffer.from([0x61, 0x62, 0xf0, 0x9f, 0x98]))],
      stderr: errorLines('cut: not UTF-8 at byte 2', 'iconv -f LATIN1 -t UTF-8 cut'),
    }),
    refused(['I6'], 'UTF-16', {
      stdin: Buffer.from('\ufeffhi', 'utf16le'),
      stderr: errorLines('stdin: it is UTF-16, not UTF-8', 'iconv -f UTF-16 -t UTF-8'),
    }),
    refused(['I8'], 'more than any context holds, while it still flows', {
      shell: 'spout "$@" < <(yes aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa)',
      stderr: errorLines('stdin: longer than 8 MiB', 'head -c 1M'),
    }),
    refused(['A9'], 'an argument that is not UTF-8', {
      shell: 'spout "$@" --no-stdin $\'caf\\xe9\'',
      stderr: errorLines('argument "caf\ufffd": it is not UTF-8', 'pipe the text in, as UTF-8'),
    }),
    refused(['exit.66'], 'a file that is not there', {
      argv: ['-f', 'missing.txt', 'x'],
      stderr: errorLines('missing.txt: not found'),
      code: 66,
    }),
    refused(['exit.2'], 'stdin as a system message', {
      argv: ['--system-file', '-', 'x'],
      stderr: errorLines(
        '--system-file: - is stdin, which belongs to the prompt',
        './- is a file of that name',
      ),
      code: 2,
    }),
    refused(['exit.66'], 'a file that is a folder', {
      argv: ['-f', folder, 'x'],
      stderr: errorLines(`${folder}: it is a folder`),
      code: 66,
    }),
    refused(['prompt.dash'], 'stdin asked for and forbidden', {
      argv: ['-', '--no-stdin'],
      stderr: errorLines('- and --no-stdin: only one of them at a time'),
      code: 2,
    }),
    {
      proves: ['G3'],
      what: 'a prompt longer than the context, with both numbers',
      argv: ['-m', small, '--no-stdin', '0123456789abcdef'],
      stderr: errorLines('prompt: it is 16 tokens, the context holds 16'),
      code: 65,
    },
  ])
})

test('[I4] characters cut between two reads are whole', async () => {
  const text = 'ä€😀'
  const bytes = Buffer.from(text)
  const result = await runHere(['-m', plain, '--trace'], {
    stdin: 'open',
    onStart: async ({ stdin }) => {
      for (const byte of bytes) {
        stdin?.write(Uint8Array.of(byte))
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
      stdin?.end()
    },
  })
  expect(promptOf(result)).toEqual({ text, tokens: bytes.length })
})

test('[prompt.silence I9] a silent pipe is waited for; no log tells of it', async () => {
  const result = await runHere(['-m', plain, '--trace', 'x'], {
    stdin: 'open',
    onStart: async ({ stdin }) => {
      await new Promise((resolve) => setTimeout(resolve, 3000))
      stdin?.end('late')
    },
  })
  expect(result.stderr).not.toMatch(/^spout: /m)
  expect(promptOf(result).text).toBe('late\n\nx')
})
