/** What `spout verify` found, as text and as JSON. */
import type { Difference } from '../../receipt/compare-receipts.ts'
import type { TokenDifference, Verdict } from '../../receipt/verdict.ts'
import { oneLine, quote } from '../../system/text-display.ts'

export function verdictText(verdict: Verdict): string {
  const { changed, causes } = verdict
  const lines = [
    headline(verdict),
    ...changed.map((part) => `receipt: its ${part.replace('_', ' ')} was changed after it was written`),
    ...causes.map(differenceLine),
    ...(verdict.isEqual || changed.length + causes.length > 0 ? [] : [unexplained(verdict)]),
  ]
  return `${lines.join('\n')}\n`
}

/** For `--verbose`. */
export function harmlessLines({ harmless }: Verdict): string[] {
  return harmless.map((each) => `${differenceLine(each)} (changes no token)`)
}

export function verdictJson({
  isEqual,
  tokens,
  firstDifference,
  changed,
  causes,
  harmless,
}: Verdict): object {
  const plain = ({ what, was, is }: Difference) => ({ what, was, is })
  return {
    equal: isEqual,
    tokens,
    first_difference:
      firstDifference === undefined
        ? null
        : {
            token: firstDifference.token,
            was: firstDifference.was ?? null,
            is: firstDifference.is ?? null,
            text: firstDifference.piece,
          },
    changed_in_receipt: changed,
    causes: causes.map(plain),
    harmless: harmless.map(plain),
  }
}

function headline({ isEqual, tokens, firstDifference, changed }: Verdict): string {
  const count = tokens === 1 ? '1 token' : `${tokens} tokens`
  if (isEqual) return `equal: ${count}, the same text`
  if (firstDifference !== undefined) return `not equal: ${tokenText(firstDifference)}`
  return changed.length > 0
    ? `not equal: ${count} are the same, the receipt is not`
    : `not equal: ${count} are the same, the text or its end is not`
}

function tokenText({ token, was, is, piece }: TokenDifference): string {
  const came = is === undefined ? 'the end' : `${is} ${quote(piece, 40)}`
  return `token ${token} was ${was ?? 'the end'}, now ${came}`
}

/** One line of what is different. */
export function differenceLine({ what, was, is }: Difference): string {
  return oneLine(`${what}: ${short(was)} then, ${short(is)} now`)
}

/** As many digits of a hash as tell two apart. */
function short(text: string): string {
  return /^[0-9a-f]{64}$/.test(text) ? `sha256 ${text.slice(0, 12)}` : text
}

function unexplained({ isExact }: Verdict): string {
  if (isExact)
    return 'nothing that the receipt names is different: this is a fault of spout, please report it'
  return "nothing that the receipt names is different; ONNX Runtime's kernels may round otherwise on another processor"
}
