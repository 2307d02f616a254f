/** `spout completion <shell>`: a script for the shell to read; `spout completion models`: what it asks while completing. */
import { SpoutError } from '../../errors.ts'
import { bashScript } from '../completion/bash.ts'
import { cachedNames } from '../completion/cached-names.ts'
import { fishScript } from '../completion/fish.ts'
import { zshScript } from '../completion/zsh.ts'
import type { Context } from '../context.ts'
import { commandHelp } from '../help/help-text.ts'
import { parseCommandLine } from '../program.ts'
import { withSettings } from '../settings.ts'

const SCRIPTS = new Map([
  ['bash', bashScript],
  ['zsh', zshScript],
  ['fish', fishScript],
])

function completionHelp(): string {
  return commandHelp({
    usage: 'spout completion bash | zsh | fish',
    summary: 'Prints a script that completes options, their values and the names of cached models.',
    more: [
      [
        'To use it, add one line:',
        '  ~/.bashrc                   source <(spout completion bash)',
        '  ~/.zshrc (after compinit)   source <(spout completion zsh)',
        '  ~/.config/fish/config.fish  spout completion fish | source',
      ].join('\n'),
    ],
  })
}

export async function completionCommand(argv: readonly string[], { stdout }: Context): Promise<void> {
  const command = { name: 'spout completion', flags: [], help: completionHelp, words: true }
  const { words } = parseCommandLine(argv, command)
  await stdout.write(answer(words))
  await stdout.flush()
}

function answer(words: readonly string[]): string {
  const [what = '', ...rest] = words
  const script = rest.length === 0 ? SCRIPTS.get(what) : undefined
  if (script !== undefined) return script()
  if (what === 'models' && rest.length === 0) {
    const { cacheDir } = withSettings({ stdin: true, newline: true })
    return cachedNames(process.env, cacheDir)
      .map((name) => `${name}\n`)
      .join('')
  }
  throw new SpoutError('usage', 'completion: name one shell: bash, zsh or fish', {
    hint: 'source <(spout completion bash)',
  })
}
