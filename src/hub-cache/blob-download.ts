import type { IncomingMessage } from 'node:http'
import { basename, join } from 'node:path'
import { SpoutError } from '../errors.ts'
import { connectionError, header, TransientError } from '../hub/hub-errors.ts'
import { refuseEncoding } from '../hub/hub-requests.ts'
import { type Patience, Waits } from '../hub/retry.ts'
import { isDiskFull } from '../system/disk-full.ts'
import { freeBytes } from '../system/write-whole.ts'
import { cacheError, diskFull } from './cache-errors.ts'
import { PartialFile } from './partial-file.ts'

// One blob, from the hub to its final name. Neither the length an answer announces nor the end of its body is
// believed: the blob is complete when it has the bytes the hub promised and they hash to its name.

interface BlobJob {
  /** The blob's final path; its name is its hash. */
  readonly blobPath: string
  /** Its folder, held open: where it is written. */
  readonly folder: string
  /** Bytes of the whole. */
  readonly size: number
  /** Asks for the bytes from `offset` on; answers with status 200, 206 or 416. */
  readonly open: (offset: number) => Promise<IncomingMessage>
  /** The hub, for messages. */
  readonly endpoint: URL
  readonly patience: Patience
  readonly signal?: AbortSignal | undefined
  /** Told how many bytes are here, which may fall again. */
  readonly onBytes: (received: number) => void
  readonly onRetry?: ((message: string) => void) | undefined
}

/** Downloads a blob. Throws `protocol` where the bytes are not those promised, `unavailable`, `cache`. */
export async function downloadBlob(job: BlobJob): Promise<void> {
  const partial = await openPartial(job)
  try {
    await receiveVerified(job, partial)
    await partial.commit(placeOf(job))
  } catch (error) {
    throw await giveUp(error, job, partial)
  }
}

function placeOf({ folder, blobPath }: BlobJob): string {
  return join(folder, basename(blobPath))
}

async function openPartial(job: BlobJob): Promise<PartialFile> {
  const { blobPath, size, signal } = job
  try {
    return await PartialFile.open(placeOf(job), size, signal)
  } catch (error) {
    throw isDiskFull(error) ? diskFull(blobPath, size, freeBytes(blobPath)) : cacheError(error, blobPath)
  }
}

/** Fills `partial` with the right bytes. What arrives whole and wrong gets one more chance, from the start. */
async function receiveVerified(job: BlobJob, partial: PartialFile): Promise<void> {
  await receiveAll(job, partial)
  let digest = partial.digest()
  if (digest === basename(job.blobPath)) return
  await partial.restart()
  await receiveAll(job, partial)
  digest = partial.digest()
  if (digest === basename(job.blobPath)) return
  await partial.restart()
  throw inconsistent(`wrong bytes: expected ${basename(job.blobPath)}, got ${digest}`)
}

async function receiveAll(job: BlobJob, partial: PartialFile): Promise<void> {
  const waits = new Waits(job.patience, job.signal, true)
  let most = partial.received
  job.onBytes(partial.received)
  while (partial.received < job.size) {
    try {
      await receiveSome(job, partial)
    } catch (error) {
      if (!(error instanceof TransientError)) throw error
      const progress = partial.received > most
      most = Math.max(most, partial.received)
      if (progress) waits.reset()
      await waits.after(error, job.onRetry)
      if (progress) waits.reset()
    }
  }
}

/** One answer's worth of bytes. */
async function receiveSome(job: BlobJob, partial: PartialFile): Promise<void> {
  const response = await job.open(partial.received)
  refuseEncoding(response)
  const content = contentOf(response, job.size, partial.received)
  if (content.startsWith('other')) response.destroy()
  if (content === 'other-file')
    throw new TransientError(inconsistent(`a file that is not ${job.size} bytes long`))
  if (content !== 'rest') await partial.restart()
  if (content === 'other-part') throw new TransientError(inconsistent('other bytes than were asked for'))
  await appendBody(response, job, partial)
  if (partial.received < job.size) throw new TransientError(cutShort(job, partial.received))
}

async function appendBody(response: IncomingMessage, job: BlobJob, partial: PartialFile): Promise<void> {
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      if (partial.received + chunk.length > job.size) {
        await partial.restart()
        throw inconsistent(`more than the ${job.size} bytes promised`)
      }
      await partial.append(chunk)
      job.onBytes(partial.received)
    }
  } catch (error) {
    throw streamError(error, job)
  } finally {
    response.destroy()
  }
}

/** What a body will be: the bytes from `offset` on, the whole, or something that is not ours. */
function contentOf(response: IncomingMessage, size: number, offset: number) {
  const length = header(response, 'content-length')
  if (response.statusCode === 200) {
    if (length !== undefined && Number(length) !== size) return 'other-file'
    return offset === 0 ? 'rest' : 'whole'
  }
  const [, start, end, total] =
    /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(header(response, 'content-range') ?? '') ?? []
  const fits =
    Number(start) === offset && Number(end) === size - 1 && (total === '*' || Number(total) === size)
  return response.statusCode === 206 && fits ? 'rest' : 'other-part'
}

/** What ended a body early: ourselves, the disk or the network. */
function streamError(error: unknown, job: BlobJob): unknown {
  job.signal?.throwIfAborted()
  if (error instanceof SpoutError) return error
  const syscall = (error as NodeJS.ErrnoException).syscall
  const ofDisk =
    syscall !== undefined && /^(write|ftruncate|fsync|open|f?stat)$/.test(syscall) && !isNetwork(error)
  return ofDisk ? error : connectionError(error, job.endpoint)
}

function isNetwork(error: unknown): boolean {
  return /^(ECONN|EPIPE|ETIMEDOUT|EHOST|ENET|ENOTCONN)/.test((error as NodeJS.ErrnoException).code ?? '')
}

/** Removes what is of no use to anyone, keeps what can be gone on with, and says what went wrong. */
async function giveUp(error: unknown, job: BlobJob, partial: PartialFile): Promise<unknown> {
  const useless = isDiskFull(error) || partial.received === 0
  try {
    await (useless ? partial.remove() : partial.close())
  } catch {
    // The first error is the one that matters.
  }
  if (isDiskFull(error)) return diskFull(job.blobPath, job.size, freeBytes(job.blobPath))
  return cacheError(error, job.blobPath)
}

function cutShort(job: BlobJob, received: number): SpoutError {
  return new SpoutError(
    'unavailable',
    `hub: ${job.endpoint.host} ended after ${received} of ${job.size} bytes`,
    {
      hint: 'try again: what was received is kept',
    },
  )
}

function inconsistent(detail: string): SpoutError {
  return new SpoutError('protocol', `hub: it sent ${detail}`, {
    hint: 'try again; if it stays so, a proxy or mirror in between is at fault',
  })
}
