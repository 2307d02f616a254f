/** Questions about a line that are answered with yes or no. What they begin with is the same for all lines. */
import type { ScoredChoice } from './decide.ts'

export interface LineQuestion {
  prompt(line: string): string
  readonly choices: readonly string[]
}

interface QuestionForm {
  /** It becomes a message; else it is a text that is gone on with. */
  readonly isChat: boolean
}

/** Whether a text is as the criterion says: `is about sport`. */
export function criterionQuestion(criterion: string, form: QuestionForm): LineQuestion {
  return yesNoQuestion(`the text ${criterion.trim()}`, form)
}

/** Whether a text has what is named: `relevance to sailing`. */
export function qualityQuestion(quality: string, form: QuestionForm): LineQuestion {
  return yesNoQuestion(`the text has a high ${quality.trim()}`, form)
}

function yesNoQuestion(statement: string, { isChat }: QuestionForm): LineQuestion {
  if (isChat) {
    const head = 'Does the statement hold of the text? Answer with yes or no and nothing else.'
    const prompt = (line: string): string => `${head}\nStatement: ${statement}\nText: ${line}`
    return { prompt, choices: ['yes', 'no', 'Yes', 'No'] }
  }
  const head = 'Question: does the statement hold of the text?'
  const prompt = (line: string): string =>
    `${head}\nStatement: ${statement}\nText: ${line}\nAnswer (yes or no):`
  return { prompt, choices: ['yes', 'no'] }
}

/** ln of P(yes) over P(no), however they are written: 0 is undecided. */
export function yesScore(choices: readonly ScoredChoice[]): number {
  const of = (word: string): number => {
    const logprobs = choices.flatMap(({ choice, logprob }) =>
      choice.toLowerCase() === word ? [logprob] : [],
    )
    const best = Math.max(...logprobs)
    if (best === Number.NEGATIVE_INFINITY) return best
    return best + Math.log(logprobs.reduce((sum, logprob) => sum + Math.exp(logprob - best), 0))
  }
  const [yes, no] = [of('yes'), of('no')]
  return yes === no ? 0 : yes - no
}

/** P(yes) of a score. */
export function yesProbability(score: number, temperature = 1): number {
  return 1 / (1 + Math.exp(-score / temperature))
}
