import type { BenchReport, Judged } from './report.ts'

export interface SlowerArm {
  readonly arm: string
  readonly beside: string
  /** By how much, as a share. */
  readonly share: number
}

/** Who is surely slower, and by more than `limit`, than what it is beside: beside the saved samples where there are some. */
export function slowerArms({ rows, against }: BenchReport, limit: number): SlowerArm[] {
  const judged: (Omit<SlowerArm, 'share'> & { judged: Judged | undefined })[] =
    against.length > 0
      ? against.map((row) => ({ arm: row.arm, beside: 'before', judged: row.judged }))
      : rows.map(({ spec, judged }) => ({ arm: spec.arm.name, beside: spec.beside.name, judged }))
  return judged.flatMap(({ arm, beside, judged }) => {
    const { word, share = 0 } = judged?.verdict ?? {}
    return word === 'slower' && share > limit ? [{ arm, beside, share }] : []
  })
}
