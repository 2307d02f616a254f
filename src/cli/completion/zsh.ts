import { FLAGS, type Flag, takesValue } from '../flags.ts'
import { type CommandWords, commandWords, spellings } from './words.ts'

/** Completion for zsh, through its _arguments. */
export function zshScript(): string {
  const commands = commandWords()
  return `#compdef spout
_spout_models() {
  local -a models
  models=(\${(f)"$(spout completion models 2>/dev/null)"})
  _alternative 'models:model:compadd -a models' 'folders:folder:_files -/'
}
_spout_commands() {
  local -a commands
  commands=(${commands.map(({ name, summary }) => quoted(`${name}:${summary}`)).join(' ')})
  _describe command commands
}
_spout() {
  if ((CURRENT > 2)); then
    case $words[2] in
${commands.map(commandCase).join('\n')}
    esac
  fi
  _arguments -s \\
${FLAGS.map((flag) => `    ${argument(flag)} \\`).join('\n')}
    '(-h --help)'{-h,--help}'[print help]' \\
    '(-V --version)'{-V,--version}'[print the version]' \\
    '1:command:_spout_commands' '*:prompt: '
}
if [[ $funcstack[1] == _spout ]]; then _spout "$@"; else compdef _spout spout; fi
`
}

function commandCase({ name, words, flags, takesModels, following }: CommandWords): string {
  const models = takesModels ? ["'*:model:_spout_models'"] : []
  const next = following === undefined ? [] : [quoted(`2:name:(${following.words.join(' ')})`)]
  const specs = [...flags.map(argument), quoted(`1:word:(${words.join(' ')})`), ...next, ...models]
  return `      ${name}) shift words; ((CURRENT--)); _arguments -s ${specs.join(' ')}; return ;;`
}

function argument(flag: Flag): string {
  const names = spellings(flag)
  const alone = flag.repeatable ? '*' : `(${names.join(' ')})`
  const spelled = names.length === 1 ? `'${alone}${names[0]}` : `'${alone}'{${names.join(',')}}'`
  const value = takesValue(flag) ? `:value:${valueAction(flag)}` : ''
  return `${spelled}[${escaped(flag.help)}]${value}'`
}

function valueAction({ values }: Flag): string {
  if (values === 'model') return '_spout_models'
  if (values === 'file') return '_files'
  if (values === 'folder') return '_files -/'
  return values === undefined ? ' ' : `(${values.join(' ')})`
}

function escaped(text: string): string {
  return text.replace(/[[\]:\\]/g, '\\$&').replaceAll("'", "'\\''")
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
