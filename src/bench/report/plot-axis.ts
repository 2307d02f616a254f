/** A logarithmic axis: equal ratios are equally far apart. */
export interface Axis {
  readonly ticks: readonly number[]
  /** Where a value lies, in whole tenths of a pixel. */
  place(value: number): number
  /** The nearest value that lies on the axis. */
  clamp(value: number): number
}

/** Room at both ends, as a share of the range. */
const MARGIN = 0.06
const TICKS = 6

export function makeAxis(values: readonly number[], { from, to }: { from: number; to: number }): Axis {
  const [least, most] = [Math.min(...values), Math.max(...values)]
  const room = Math.max(MARGIN * Math.log(most / least), 0.01)
  const [low, high] = [Math.log(least) - room, Math.log(most) + room]
  const place = (value: number): number =>
    Math.round(10 * (from + ((Math.log(value) - low) / (high - low)) * (to - from))) / 10
  const [start, end] = [Math.exp(low), Math.exp(high)]
  return {
    ticks: end / start > 6 ? decades(start, end) : steps(start, end),
    place,
    clamp: (value) => Math.min(end, Math.max(start, value)),
  }
}

/** 1, 2, 5, 10, ... in the range. */
function decades(start: number, end: number): number[] {
  const ticks: number[] = []
  for (let power = Math.floor(Math.log10(start)); 10 ** power <= end; power++) {
    ticks.push(...[1, 2, 5].map((digit) => Number(`${digit}e${power}`)))
  }
  return ticks.filter((tick) => tick >= start && tick <= end)
}

/** Round numbers in equal steps. */
function steps(start: number, end: number): number[] {
  const rough = (end - start) / TICKS
  const power = Math.floor(Math.log10(rough))
  const digit = [1, 2, 5, 10].find((each) => each * 10 ** power >= rough)!
  const first = Math.ceil(start / (digit * 10 ** power))
  const count = Math.floor(end / (digit * 10 ** power)) - first + 1
  return Array.from({ length: Math.max(0, count) }, (_, i) => Number(`${(first + i) * digit}e${power}`))
}
