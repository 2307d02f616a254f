/** Student's t distribution for whole degrees of freedom, from its finite series (Abramowitz & Stegun 26.7.3 and 26.7.4). */

/** P(|T| <= t) with `degrees` of freedom, for t >= 0. */
export function centralProbability(t: number, degrees: number): number {
  const angle = Math.atan(t / Math.sqrt(degrees))
  const cos2 = Math.cos(angle) ** 2
  const isOdd = degrees % 2 === 1
  let term = isOdd ? Math.cos(angle) : 1
  let sum = degrees === 1 ? 0 : term
  for (let k = isOdd ? 3 : 2; k < degrees; k += 2) {
    term *= (cos2 * (k - 1)) / k
    sum += term
  }
  return isOdd ? (2 / Math.PI) * (angle + Math.sin(angle) * sum) : Math.sin(angle) * sum
}

/** The t with P(|T| <= t) = `probability`. */
export function studentQuantile(probability: number, degrees: number): number {
  let low = 0
  let high = 1
  while (centralProbability(high, degrees) < probability) high *= 2
  for (let i = 0; i < 80; i++) {
    const middle = (low + high) / 2
    if (centralProbability(middle, degrees) < probability) low = middle
    else high = middle
  }
  return (low + high) / 2
}
