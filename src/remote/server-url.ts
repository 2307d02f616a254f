/** Addresses of OpenAI-compatible servers, checked before anything is asked of them. */
import { SpoutError } from '../errors.ts'
import { quote } from '../system/text-display.ts'

const HINT = 'as in http://localhost:8000'

/** In place of addresses: the model runs here, whatever a setting says. */
const HERE = 'local'

/**
 * The addresses of a list with commas between, as the requests begin: `/v1` is added where an address has no path.
 * @returns none for `local`
 * @throws SpoutError `usage` for what is no address, or has a key in it
 */
export function parseServers(text: string): readonly string[] {
  if (text.trim() === HERE) return []
  return text.split(',').map((each) => parseServer(each.trim()))
}

function parseServer(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw new SpoutError('usage', `${quote(text, 80)} is no http or https address`, { hint: HINT })
  if (url.username !== '' || url.password !== '') {
    throw new SpoutError('usage', 'an address with a name or password in it, which others can read', {
      hint: 'the key belongs into SPOUT_ENGINE_KEY or --engine-key-file',
    })
  }
  if (url.search !== '' || url.hash !== '')
    throw new SpoutError('usage', `${quote(text, 80)}: an address ends with its path`, { hint: HINT })
  const path = url.pathname.replace(/\/+$/, '')
  // A client of OpenAI's is often given all of the address that it is to call.
  const base = path.replace(/\/(chat\/)?completions$/, '')
  return `${url.origin}${base === '' ? '/v1' : base}`
}
