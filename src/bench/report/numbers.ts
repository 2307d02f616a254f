/** Numbers as reports write them. What is missing is a dash. */
const NONE = '–'
const MIB = 2 ** 20

type Number = number | null | undefined

function shown(value: Number, write: (value: number) => string): string {
  return value === null || value === undefined || !Number.isFinite(value) ? NONE : write(value)
}

/** Three or four digits that matter. */
export function plain(value: Number): string {
  return shown(value, (number) => {
    const size = Math.abs(number)
    return number.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3)
  })
}

export function signed(value: Number): string {
  return shown(value, (number) => (number < 0 ? '−' : '+') + plain(Math.abs(number)))
}

/** A log ratio as a difference in percent. */
export function percentOf(logRatio: Number): string {
  return shown(logRatio, (number) => `${signedTenths(100 * Math.expm1(number))} %`)
}

function signedTenths(value: number): string {
  const text = Math.abs(value).toFixed(1)
  return (value < 0 && text !== '0.0' ? '−' : '+') + text
}

export function share(value: Number): string {
  return shown(value, (number) => `${(100 * number).toFixed(number < 0.1 ? 2 : 1)} %`)
}

export function mib(value: Number): string {
  return shown(value, (number) => `${Math.round(number / MIB)}`)
}

export function whole(value: Number): string {
  return shown(value, (number) => Math.round(number).toLocaleString('en-US'))
}

export function probability(value: Number): string {
  return shown(value, (number) => {
    if (number < 1e-12) return '< 1e-12'
    return number < 0.0001 ? number.toExponential(1) : number.toFixed(4)
  })
}
