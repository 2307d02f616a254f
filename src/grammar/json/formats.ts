/** The formats of strings that are enforced, each as a pattern of what is surely right. */

const DAY31 = '(?:0[1-9]|[12]\\d|3[01])'
const DAY30 = '(?:0[1-9]|[12]\\d|30)'
const LEAP = '(?:\\d\\d(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)'
const DATE = `(?:\\d{4}-(?:(?:0[13578]|1[02])-${DAY31}|(?:0[469]|11)-${DAY30}|02-(?:0[1-9]|1\\d|2[0-8]))|${LEAP}-02-29)`
const CLOCK = '(?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(?:\\.\\d{1,9})?'
const ZONE = '(?:Z|[+-](?:[01]\\d|2[0-3]):[0-5]\\d)'
const TIME = `${CLOCK}${ZONE}`
const BYTE = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)'
const IPV4 = `${BYTE}(?:\\.${BYTE}){3}`
const H16 = '[0-9a-fA-F]{1,4}'
const IPV6 = [
  `(?:${H16}:){7}${H16}`,
  ...Array.from({ length: 7 }, (_, left) => {
    const before = left === 0 ? '' : `${H16}(?::${H16}){0,${left - 1}}`
    const most = 6 - left
    const after = most === 0 ? '' : `(?:${H16}(?::${H16}){0,${most - 1}})?`
    return `${left === 0 ? '' : before}::${after}`
  }),
].join('|')
const LABEL = '[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?'
const HOSTNAME = `${LABEL}(?:\\.${LABEL})*`
const ATOM = "[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]+"
const EMAIL = `(?=[^@]{1,64}@)${ATOM}(?:\\.${ATOM})*@${LABEL}(?:\\.${LABEL})*`
const HEX = '[0-9a-fA-F]'
const UUID = `${HEX}{8}-${HEX}{4}-${HEX}{4}-${HEX}{4}-${HEX}{12}`
const PCHAR = `(?:[a-zA-Z0-9._~!$&'()*+,;=:@-]|%${HEX}{2})`
const QUERY = `(?:${PCHAR}|[/?])*`
const PORT = '(?::\\d{1,5})?'
const AUTHORITY = `(?:(?:[a-zA-Z0-9._~!$&'()*+,;=:-]|%${HEX}{2})*@)?${LABEL}(?:\\.${LABEL})*${PORT}`
const URI_REST = `(?:\\?${QUERY})?(?:#${QUERY})?`
const URI = `[a-zA-Z][a-zA-Z0-9+.-]*:(?://(?:${AUTHORITY}(?:/${PCHAR}*)*|(?:/${PCHAR}+)+)|/?(?:${PCHAR}+(?:/${PCHAR}*)*))${URI_REST}`
const URI_REFERENCE = `(?:${URI}|(?:/?(?:[a-zA-Z0-9._~-]+(?:/${PCHAR}*)*)?)${URI_REST})`
const DURATION =
  'P(?:\\d{1,9}W|(?=[\\dT])(?:\\d{1,9}Y(?:\\d{1,9}M(?:\\d{1,9}D)?)?|\\d{1,9}M(?:\\d{1,9}D)?|\\d{1,9}D)?(?:T(?:\\d{1,9}H(?:\\d{1,9}M(?:\\d{1,9}S)?)?|\\d{1,9}M(?:\\d{1,9}S)?|\\d{1,9}S))?)'
const POINTER = '(?:/(?:[^~/]|~[01])*)*'

interface Format {
  /** Of the whole text. */
  readonly pattern: string
  readonly maxLength?: number
}

const PATTERNS: readonly (readonly [string, string])[] = [
  ['date', DATE],
  ['time', TIME],
  ['date-time', `${DATE}T${TIME}`],
  ['duration', DURATION],
  ['email', EMAIL],
  ['idn-email', EMAIL],
  ['hostname', HOSTNAME],
  ['idn-hostname', HOSTNAME],
  ['ipv4', IPV4],
  ['ipv6', `(?:${IPV6})`],
  ['uri', URI],
  ['iri', URI],
  ['uri-reference', URI_REFERENCE],
  ['iri-reference', URI_REFERENCE],
  ['uuid', UUID],
  ['json-pointer', POINTER],
  ['relative-json-pointer', `(?:0|[1-9]\\d{0,8})(?:#|${POINTER})`],
]

/** Of names in the net. */
const MOST_OF_A_NAME = 253

export const FORMATS: ReadonlyMap<string, Format> = new Map(
  PATTERNS.map(([name, pattern]) => [
    name,
    pattern === HOSTNAME ? { pattern, maxLength: MOST_OF_A_NAME } : { pattern },
  ]),
)
