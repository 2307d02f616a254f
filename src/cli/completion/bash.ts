import { FLAGS, type Flag, takesValue } from '../flags.ts'
import { type CommandWords, commandWords, spellings } from './words.ts'

/** Completion for bash 3.2 and newer. Where it offers nothing, bash completes file names. */
export function bashScript(): string {
  const commands = commandWords()
  return `# bash completion of spout
_spout() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev= command=\${COMP_WORDS[1]} IFS=$' \\t\\n'
  ((COMP_CWORD > 0)) && prev=\${COMP_WORDS[COMP_CWORD - 1]}
  # bash takes --dtype=q4 for three words.
  if [[ $cur == = ]]; then cur=
  elif [[ $prev == = ]]; then prev=\${COMP_WORDS[COMP_CWORD - 2]}; fi
  COMPREPLY=()
  case $prev in
${FLAGS.filter(takesValue).map(valueCase).join('\n')}
  esac
  if ((COMP_CWORD > 1)); then
    case $command in
${commands.map(commandCase).join('\n')}
    esac
  elif [[ $cur != -* ]]; then
    COMPREPLY=($(compgen -W '${commands.map(({ name }) => name).join(' ')}' -- "$cur"))
    return
  fi
  [[ $cur == -* ]] && COMPREPLY=($(compgen -W '${flagWords(FLAGS)}' -- "$cur"))
}
complete -o bashdefault -o default -F _spout spout
`
}

function valueCase(flag: Flag): string {
  return `    ${spellings(flag).join('|')}) ${valueAction(flag)}return ;;`
}

const MODELS = '$(spout completion models 2>/dev/null)'

function valueAction({ values }: Flag): string {
  if (values === 'model') return offer(MODELS, '"')
  return values === undefined || typeof values === 'string' ? '' : offer(values.join(' '), "'")
}

function offer(words: string, quote: string): string {
  return `COMPREPLY=($(compgen -W ${quote}${words}${quote} -- "$cur")); `
}

function commandCase({ name, words, flags, takesModels, following }: CommandWords): string {
  const here = offer([...words, flagWords(flags)].join(' '), "'")
  const later = takesModels ? `((COMP_CWORD > 2)) && [[ $cur != -* ]] && ${offer(MODELS, '"')}` : ''
  const next =
    following === undefined
      ? ''
      : `case $prev in ${following.after.join('|')}) ((COMP_CWORD == 3)) && ${offer(following.words.join(' '), "'")};; esac; `
  return `      ${name}) ${here}${later}${next}return ;;`
}

function flagWords(flags: readonly Flag[]): string {
  return [...flags.flatMap(spellings), '-h', '--help', '-V', '--version'].join(' ')
}
