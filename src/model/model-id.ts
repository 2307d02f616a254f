import { SpoutError } from '../errors.ts'
import { quote } from '../system/text-display.ts'

// Names from the command line and from a hub's answers become paths and URLs. Nothing else may build either from
// a name, so that what is refused here is refused everywhere.

/** A repository on the hub at some revision. */
export interface HubId {
  /** `name` or `org/name`. */
  readonly repo: string
  /** A branch, tag, pull request (`refs/pr/1`) or commit. */
  readonly revision: string
}

/** What a revision is when none is named. */
const DEFAULT_REVISION = 'main'

const NAME = /^\w(?:[\w.-]{0,94}\w)?$/
const REVISION = /^[\w][\w./-]{0,254}$/
const COMMIT = /^[0-9a-f]{40}$/

/** Parses `org/name[@revision]` by the hub's own rules. Throws `usage`. */
export function parseHubId(text: string): HubId {
  const at = text.indexOf('@')
  const repo = at < 0 ? text : text.slice(0, at)
  const revision = at < 0 ? DEFAULT_REVISION : text.slice(at + 1)
  if (!isRepo(repo)) throw notAModel(text)
  if (!isRevision(revision)) {
    throw new SpoutError('usage', `model: ${quote(revision)} is not a revision`, {
      hint: `a branch, a tag or a commit, as in ${repo}@main`,
    })
  }
  return { repo, revision }
}

export function isRepo(repo: string): boolean {
  const parts = repo.split('/')
  if (parts.length > 2 || !parts.every((part) => NAME.test(part))) return false
  if (parts.length === 2 && /^(datasets|spaces|models|kernels)$/.test(parts[0]!)) return false
  return !repo.includes('--') && !repo.includes('..') && !repo.endsWith('.git')
}

export function isRevision(revision: string): boolean {
  return (
    REVISION.test(revision) &&
    !revision.includes('..') &&
    revision.split('/').every((part) => part !== '' && part !== '.' && !part.endsWith('.lock'))
  )
}

export function isCommit(text: string): boolean {
  return COMMIT.test(text)
}

function notAModel(text: string): SpoutError {
  return new SpoutError('usage', `model: ${quote(text)} is neither a folder nor a model id`, {
    hint: 'org/name, org/name@revision, or the path of a folder that exists',
  })
}

/** A blob's name: a sha256, or a sha1 as git computes it. */
export function isEtag(text: string): boolean {
  return /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(text)
}
