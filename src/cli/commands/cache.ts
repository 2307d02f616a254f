/** `spout cache`: what is kept on disk of prompts, and how it is given up. */

import { SpoutError } from '../../errors.ts'
import {
  aboutOf,
  allPages,
  pagesIn,
  pagesLimit,
  promptsFolder,
  prunePages,
  type StoredPage,
  storedFolders,
  surplusPages,
} from '../../prefix-cache/stored-pages.ts'
import { removeBelow } from '../../system/held-folder.ts'
import { bytesText } from '../../system/quantities.ts'
import { spoutCacheFolder } from '../../system/spout-cache.ts'
import { escapeText, quote, toJson } from '../../system/text-display.ts'
import { CACHE_ACTIONS } from '../command-table.ts'
import type { Context } from '../context.ts'
import { CACHE_FLAGS } from '../flags.ts'
import { commandHelp, section } from '../help/help-text.ts'
import { nearest } from '../nearest.ts'
import { parseCommandLine } from '../program.ts'
import { GIVEN_DESCRIPTOR } from '../spawn-later.ts'

interface CacheOptions {
  readonly json?: boolean
  readonly keep?: number
  readonly dryRun?: boolean
}

interface Report {
  readonly text: string
  readonly document: object
}

function cacheHelp(): string {
  return commandHelp({
    usage: 'spout cache [action]',
    summary:
      'What is kept on disk of prompts, so that a text that begins alike is not computed again (--prompt-cache). Such a ' +
      'file can be turned back into its text: it is for its owner only, and clear removes all.',
    flags: CACHE_FLAGS,
    more: [section('Actions', Object.entries(CACHE_ACTIONS))],
  })
}

export async function cacheCommand(argv: readonly string[], { stdout }: Context): Promise<void> {
  // Not for people: see keep-prompt.ts.
  if (argv.length === 1 && argv[0] === 'write') return writeGiven()
  const command = { name: 'spout cache', flags: CACHE_FLAGS, help: cacheHelp, words: true }
  const { words, options } = parseCommandLine<CacheOptions>(argv, command)
  const [action = 'show', ...others] = words
  if (others.length > 0) throw new SpoutError('usage', `cache: ${quote(others[0]!)} is one word too many`)
  const { text, document } = runAction(action, options, spoutCacheFolder(process.env))
  await stdout.write(options.json ? `${toJson(document, 2)}\n` : text)
  await stdout.flush()
}

async function writeGiven(): Promise<void> {
  const { writePages } = await import('../../prefix-cache/write-pages.ts')
  await writePages(GIVEN_DESCRIPTOR)
}

function runAction(action: string, options: CacheOptions, cacheFolder: string): Report {
  if (action === 'prune') return prune(options, cacheFolder)
  if (action !== 'show' && action !== 'clear') throw unknownAction(action)
  const foreign = options.keep !== undefined ? '--keep' : options.dryRun ? '--dry-run' : undefined
  if (foreign === undefined) return action === 'show' ? show(cacheFolder) : clear(cacheFolder)
  throw new SpoutError('usage', `${foreign}: not a flag of cache ${action}`, { hint: 'spout cache prune' })
}

function unknownAction(action: string): SpoutError {
  const near = nearest(action, Object.keys(CACHE_ACTIONS))
  return new SpoutError('usage', `cache: there is no action ${quote(action)}`, {
    hint: near === undefined ? 'spout help cache' : `spout cache ${near}`,
  })
}

function show(cacheFolder: string): Report {
  const models = storedFolders(cacheFolder).map((folder) => ({
    about: aboutOf(folder),
    pages: pagesIn(folder),
  }))
  const bytes = bytesOf(models.flatMap(({ pages }) => pages))
  const limit = Math.floor(pagesLimit(cacheFolder, bytes))
  const folder = promptsFolder(cacheFolder)
  const rows = models.map(({ about, pages }) => {
    const model = about === undefined ? 'no model that is still here' : `${about.model} (${about.dtype})`
    return { model, pages: pages.length, bytes: bytesOf(pages), usedAt: lastUse(pages) }
  })
  const lines = rows.map(
    (row) => `${row.model}: ${pagesText(row.pages)}, ${bytesText(row.bytes)}, last used ${dayOf(row.usedAt)}`,
  )
  const total = `${folder}: ${bytesText(bytes)} of at most ${bytesText(limit)}`
  return {
    text: [...lines, total].map((line) => `${escapeText(line)}\n`).join(''),
    document: {
      ...{ folder, bytes, limit },
      models: rows.map(({ usedAt, ...row }) => ({ ...row, last_used: new Date(usedAt).toISOString() })),
    },
  }
}

function prune({ keep, dryRun = false }: CacheOptions, cacheFolder: string): Report {
  const used = bytesOf(allPages(cacheFolder))
  // Without a number only what would go with the next prompt, and what nobody would use.
  const keepBytes = keep === undefined ? pagesLimit(cacheFolder, used) : 1e9 * keep
  const removed = (dryRun ? surplusPages : prunePages)(cacheFolder, keepBytes)
  return removedReport(removed, used, dryRun)
}

function clear(cacheFolder: string): Report {
  const pages = allPages(cacheFolder)
  try {
    removeBelow(cacheFolder, promptsFolder(cacheFolder))
  } catch (cause) {
    throw new SpoutError('cache', `${promptsFolder(cacheFolder)}: ${(cause as Error).message}`, { cause })
  }
  return removedReport(pages, bytesOf(pages), false)
}

function removedReport(removed: readonly StoredPage[], used: number, dryRun: boolean): Report {
  const bytes = bytesOf(removed)
  const left = used - (dryRun ? 0 : bytes)
  const verb = dryRun ? 'would remove' : 'removed'
  return {
    text: `${verb} ${pagesText(removed.length)} (${bytesText(bytes)}); ${bytesText(left)} there now\n`,
    document: { removed: removed.length, bytes, left },
  }
}

const bytesOf = (pages: readonly StoredPage[]): number => pages.reduce((sum, { bytes }) => sum + bytes, 0)
const lastUse = (pages: readonly StoredPage[]): number => Math.max(0, ...pages.map(({ usedAt }) => usedAt))
const dayOf = (time: number): string => new Date(time).toISOString().slice(0, 10)

function pagesText(count: number): string {
  return count === 1 ? '1 page' : `${count} pages`
}
