/** The scripts of `spout completion`, read by the shells they are for. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { bashScript } from '../../src/cli/completion/bash.ts'
import { fishScript } from '../../src/cli/completion/fish.ts'
import { zshScript } from '../../src/cli/completion/zsh.ts'
import { FLAGS, longName } from '../../src/cli/flags.ts'
import { errorLines, testRows } from '../support/cli-rows.ts'
import { ENVIRONMENT, HOME, quote, SPOUT } from '../support/run-spout.ts'

const cache = mkdtempSync(join(HOME, 'hub-'))
for (const name of [
  'models--org--one',
  'models--org--two',
  'models--gpt2',
  'datasets--org--data',
  'models--..--x',
]) {
  mkdirSync(join(cache, name))
}
const env = { ...ENVIRONMENT, HF_HUB_CACHE: cache }
const hasShell = (shell: string): boolean => spawnSync(shell, ['--version']).status === 0
const shellScript = (shell: string, script: string): string => {
  const file = join(mkdtempSync(join(HOME, 'completion-')), `script.${shell}`)
  writeFileSync(file, script)
  return file
}

describe.runIf(hasShell('bash'))('[completion.shells] bash (needs bash)', () => {
  const file = shellScript('bash', bashScript())
  /** What Tab offers after these words, the last of them being begun. */
  const complete = (...words: string[]): string[] => {
    const script = [
      `spout() { ${quote(process.execPath)} ${quote(SPOUT)} "$@"; }`,
      `source ${quote(file)}`,
      `COMP_WORDS=(${words.map(quote).join(' ')}) COMP_CWORD=${words.length - 1}`,
      '_spout',
      // biome-ignore lint/suspicious/noTemplateCurlyInString: an array of the shell's
      'printf "%s\\n" "${COMPREPLY[@]}"',
    ].join('\n')
    const { stdout, stderr } = spawnSync('bash', ['-c', script], { env, encoding: 'utf8' })
    expect(stderr).toBe('')
    return stdout.split('\n').filter(Boolean)
  }

  test.each([
    [
      ['spout', 'c'],
      ['chat', 'cache', 'config', 'completion'],
    ],
    [['spout', '--dt'], ['--dtype']],
    [
      ['spout', 'x', '--json'],
      ['--json-style', '--json', '--jsonl'],
    ],
    [
      ['spout', '--dtype', 'q'],
      ['q8', 'q4', 'q4f16'],
    ],
    [['spout', '--dtype', '=', 'int'], ['int8']],
    [
      ['spout', '--think', '='],
      ['show', 'hide', 'only'],
    ],
    [
      ['spout', '-m', ''],
      ['gpt2', 'org/one', 'org/two'],
    ],
    [['spout', '--model', 'org/t'], ['org/two']],
    [['spout', 'config', 's'], ['set']],
    [['spout', 'models', 'ver'], ['verify']],
    [
      ['spout', 'models', 'pr'],
      ['prepare', 'prune'],
    ],
    [
      ['spout', 'config', 'set', 'th'],
      ['threads', 'think'],
    ],
    [
      ['spout', 'config', 'set', 'no-'],
      ['no-prepare', 'no-keep'],
    ],
    [['spout', 'config', 'set', 'threads', 'th'], []],
    [['spout', 'models', 'show', 'org/o'], ['org/one']],
    [['spout', 'help', 'sa'], ['sampling']],
    [
      ['spout', 'completion', ''],
      ['bash', 'zsh', 'fish', '-h', '--help'],
    ],
    [['spout', 'chat', '--jso'], []],
    [
      ['spout', 'chat', '--sys'],
      ['--system', '--system-file'],
    ],
    [['spout', '-f', 'any'], []],
  ])('%j', (words, offered) => {
    const found = complete(...words)
    expect(words.at(-1) === '' && offered.includes('bash') ? found.slice(0, 5) : found).toEqual(offered)
  })
})

describe('[completion.shells] zsh', () => {
  test('names every flag', () => {
    for (const flag of FLAGS) expect(zshScript()).toContain(longName(flag))
  })
  test.runIf(hasShell('zsh'))('is read without a complaint (needs zsh)', () => {
    const { status, stderr } = spawnSync('zsh', ['-n', shellScript('zsh', zshScript())], { encoding: 'utf8' })
    expect([status, stderr]).toEqual([0, ''])
  })
})

describe('[completion.shells] fish', () => {
  test('names every flag', () => {
    for (const flag of FLAGS) expect(fishScript()).toContain(`-l ${longName(flag).slice(2)} `)
  })
  test.runIf(hasShell('fish'))('offers what bash does (needs fish)', () => {
    const file = shellScript('fish', fishScript())
    const complete = (words: string): string[] => {
      const script = `source ${file}; complete -C ${quote(words)}`
      const { stdout } = spawnSync('fish', ['-c', script], { env, encoding: 'utf8' })
      return stdout
        .split('\n')
        .filter(Boolean)
        .map((line) => line.split('\t')[0]!)
    }
    expect(complete('spout --dtype q')).toEqual(['q4', 'q4f16', 'q8'])
    expect(complete('spout completion ')).toEqual(['bash', 'fish', 'zsh'])
    expect(complete('spout chat --sys')).toEqual(['--system', '--system-file'])
    expect(complete('spout config set th')).toEqual(['think', 'threads'])
    expect(complete('spout models pr')).toEqual(['prepare', 'prune'])
  })
})

describe.concurrent('the command', () => {
  testRows([
    {
      proves: ['completion.shells'],
      what: 'bash',
      argv: ['completion', 'bash'],
      stdout: bashScript(),
    },
    {
      proves: ['completion.shells'],
      what: 'models of the cache',
      argv: ['completion', 'models'],
      env: { HF_HUB_CACHE: cache },
      stdout: 'gpt2\norg/one\norg/two\n',
    },
    {
      proves: ['completion.shells'],
      what: 'another shell',
      argv: ['completion', 'tcsh'],
      stderr: errorLines('completion: name one shell: bash, zsh or fish', 'source <(spout completion bash)'),
      code: 2,
    },
  ])
})
