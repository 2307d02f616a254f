/** Command lines that would do something else than what was meant, without a word: read without a process. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { refuseTexts } from '../../src/cli/clusters.ts'
import { FLAGS, longName } from '../../src/cli/flags.ts'
import { refuseMistyped } from '../../src/cli/mistyped.ts'
import { parseCommandLine } from '../../src/cli/program.ts'
import { SpoutError } from '../../src/errors.ts'

/** The hint of the refusal; `undefined` when there is none. */
function hintOf(work: () => void): string | undefined {
  try {
    work()
    return undefined
  } catch (error) {
    if (!(error instanceof SpoutError) || error.code !== 'usage') throw error
    return error.hint ?? 'no hint'
  }
}

const parse = (...argv: string[]) =>
  parseCommandLine(argv, { name: 'spout', flags: FLAGS, help: () => 'help', version: () => '1', words: true })

describe('[options.texts] a text that begins with one dash', () => {
  const refused = (...argv: string[]) => hintOf(() => refuseTexts(argv, 'spout', FLAGS))

  test.each([
    ['-sad ending please', "a prompt: spout -- '-sad ending please'; a value: -s 'ad ending please'"],
    ['-o my goodness', "a prompt: spout -- '-o my goodness'; a value: -o 'my goodness'"],
    ['-qn it', "a prompt: spout -- '-qn it'; a value: -qn it"],
    ['-hand-made soap: a slogan', "a prompt: spout -- '-hand-made soap: a slogan'"],
    ['-Very short, please', "a prompt: spout -- '-Very short, please'"],
    ["-it's", "a prompt: spout -- '-it'\\''s'"],
    ['-haiku', 'a prompt: spout -- -haiku'],
    ['- buy milk', "a prompt: spout -- '- buy milk'"],
    ['-5 + 3 =', "a prompt: spout -- '-5 + 3 ='"],
    ['-q\nx', "a prompt: spout -- '-q\nx'"],
  ])('%j is refused with how to write it', (word, hint) => {
    expect(refused(word)).toBe(hint)
    expect(refused('-n', '5', 'x', word)).toBe(hint)
  })

  test.each([
    [['-vn5', '-t0.5', 'x']],
    [['-s', '-be brief, please', 'x']],
    [['--stop', '- a', 'x']],
    [['-vs', '-be brief', 'x']],
    [['--', '-sad ending please']],
    [['-5', '-', '-.5', 'a - b', '--json']],
    [['--stop=-a b', '-fname']],
  ])('%j is not', (argv) => {
    expect(refused(...argv)).toBeUndefined()
  })

  test('whatever has a blank in it after one dash is never obeyed', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme-ascii', maxLength: 12 }), fc.nat(12), (text, at) => {
        const word = `-${text.slice(0, at)} ${text.slice(at)}`
        expect(refused(word) === undefined).toBe(word.startsWith('--'))
      }),
    )
  })
})

describe('[options.commands] a command that is none', () => {
  const asked = (...argv: string[]) => {
    const words = argv.filter((word) => !word.startsWith('-'))
    return hintOf(() => refuseMistyped(argv, words))?.replace(/; a prompt: .*/, '')
  }

  test.each([
    [['list'], 'models list'],
    [['pull', 'org/name'], 'models pull org/name'],
    [['pull', 'gpt2'], 'models pull gpt2'],
    [['download', 'gpt2'], 'models pull gpt2'],
    [['show', 'gratitude'], undefined],
    [['pull', 'a/b', 'c/d@main'], 'models pull a/b c/d@main'],
    [['modles', 'list'], 'models list'],
    [['model'], 'models'],
    [['cofnig', 'set', 'threads', '2'], 'config set threads 2'],
    [['config', '--x'], undefined],
    [['chta'], 'chat'],
    [['ls'], 'models list'],
    [['download', 'a/b'], 'models pull a/b'],
    [['run', 'a/b'], '-m a/b "your prompt"'],
    [['run', 'a/b', 'What is it?'], '-m a/b "your prompt"'],
    [['--offline', 'models', 'list'], 'models list [options]'],
    [['-q', 'chat'], 'chat [options]'],
    [['show', 'me', 'the', 'rivers'], undefined],
    [['pull', 'yourself', 'together'], undefined],
    [['run'], undefined],
    [['list three rivers'], undefined],
    [['model', 'a', 'bridge'], undefined],
    [['chart', 'the', 'course'], undefined],
    [['-q', 'chat', 'with', 'me'], undefined],
    [['-q', 'Hello'], undefined],
    [['--', 'list'], undefined],
  ])('%j: %j', (argv, command) => {
    expect(asked(...argv)).toBe(command === undefined ? undefined : `the command: spout ${command}`)
  })

  test('is told how to be a prompt', () => {
    expect(hintOf(() => refuseMistyped(['pull', 'a/b'], ['pull', 'a/b']))).toContain(
      'a prompt: spout -- pull a/b',
    )
  })
})

describe('[options.foreign A1] flags as other programs call them', () => {
  test.each([
    ['--temp', 'did you mean --temperature'],
    ['-p', 'the prompt is written without a flag: spout "your prompt"'],
    ['--prompt', 'the prompt is written without a flag: spout "your prompt"'],
    ['--context', 'did you mean --ctx-size'],
    ['--n_predict', 'did you mean --max-tokens'],
    ['--max_tokens', 'did you mean --max-tokens'],
    ['--repeat-penalty', 'did you mean --repetition-penalty'],
    ['-i', 'a conversation: spout chat'],
    ['--tempreature', 'did you mean --temperature'],
    ['--seed of doubt', "spout help options; a prompt: spout -- '--seed of doubt'"],
    ['--constructor', 'spout help options; a prompt: spout -- --constructor'],
  ])('%s', (flag, hint) => {
    expect(hintOf(() => parse(flag, 'x'))).toBe(hint)
  })

  test('every flag that a hint names is one', () => {
    const known = FLAGS.map(longName)
    for (const name of [
      '--temp',
      '--top-k',
      '-c',
      '-r',
      '--sys',
      '--quant',
      '--typical',
      '--predict',
      '-l',
      '-k',
    ]) {
      const hint = hintOf(() => parse(name, '1', 'x')) ?? ''
      if (hint.startsWith('did you mean')) expect(known).toContain(hint.split(' ').at(-1))
    }
  })

  test.each(['x.gguf', './y.GGUF', 'a/model.safetensors', 'onnx/model.onnx'])('-m %s', (file) => {
    expect(() => parse('-m', file, 'x')).toThrow(/is a file, and a model is a folder or a name$/)
  })
})
