/** What may be called. No route takes a path, fetches a model, or shows what others have asked. */
import type { BodyKind } from '../openai/settings.ts'
import { ApiError } from './api-error.ts'

export interface Route {
  /** As the metrics call it. */
  readonly name: string
  readonly methods: readonly string[]
  /** Of one that writes texts. */
  readonly kind?: BodyKind
  /** What stands where its name has a star. */
  readonly tail?: string
}

const ROUTES: Readonly<Record<string, Route>> = Object.fromEntries(
  [
    { name: '/health', methods: ['GET'] },
    { name: '/metrics', methods: ['GET'] },
    { name: '/v1/models', methods: ['GET'] },
    { name: '/v1/embeddings', methods: ['POST'] },
    { name: '/v1/chat/completions', methods: ['POST'], kind: 'chat' as const },
    { name: '/v1/completions', methods: ['POST'], kind: 'completion' as const },
  ].map((route) => [route.name, route]),
)
const MODEL = '/v1/models/'

/** @param url as it stands in the request. @throws ApiError 404 */
export function findRoute(url: string): Route {
  const [path = ''] = url.split('?')
  if (Object.hasOwn(ROUTES, path)) return ROUTES[path]!
  const tail = path.startsWith(MODEL) ? decoded(path.slice(MODEL.length)) : ''
  if (tail !== '') return { name: '/v1/models/*', methods: ['GET'], tail }
  throw new ApiError(404, 'url: there is no such route', { code: 'unknown_url' })
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return ''
  }
}

export function wrongMethod({ methods }: Route): ApiError {
  const allow = methods.join(', ')
  return new ApiError(405, `method: only ${allow} is allowed here`, {
    code: 'wrong_method',
    headers: { allow },
  })
}

/** What a browser is told that asks first. */
export function preflight({ methods }: Route): Readonly<Record<string, string>> {
  return {
    'access-control-allow-methods': methods.join(', '),
    'access-control-allow-headers': 'authorization, content-type',
    'access-control-max-age': '600',
  }
}
