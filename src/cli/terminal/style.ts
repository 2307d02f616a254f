/** Colour on stderr, by `--color`, NO_COLOR, TERM and whether stderr is a terminal. chalk is loaded only for colour. */
export type Dim = (text: string) => string

export async function loadDim(when: string = 'auto'): Promise<Dim> {
  if (!wantsColor(when)) return (text) => text
  const { Chalk } = await import('chalk')
  const chalk = new Chalk({ level: 1 })
  return (text) => chalk.dim(text)
}

export function wantsColor(when: string = 'auto'): boolean {
  if (when !== 'auto') return when === 'always'
  return Boolean(process.stderr.isTTY) && !process.env.NO_COLOR && process.env.TERM !== 'dumb'
}
