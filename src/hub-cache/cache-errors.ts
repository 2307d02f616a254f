import { SpoutError } from '../errors.ts'
import { isDiskFull } from '../system/disk-full.ts'

const WAY_OUT = 'HF_HUB_CACHE=<folder>, or --cache-dir <folder>'

/** What a failure to write `path` in the cache means; a SpoutError and what is no error of the file system pass through. */
export function cacheError(error: unknown, path: string): unknown {
  const code = (error as NodeJS.ErrnoException)?.code
  if (error instanceof SpoutError || typeof code !== 'string') return error
  if ((error as NodeJS.ErrnoException).syscall === undefined) return error
  if (code === 'EMFILE' || code === 'ENFILE') {
    return new SpoutError('os', 'files: too many are open', { hint: 'ulimit -n 4096', cause: error })
  }
  const detail = isDiskFull(error) ? 'the disk is full' : `cannot be written (${code})`
  return new SpoutError('cache', `${path}: ${detail}`, { hint: WAY_OUT, cause: error })
}

/** The error for a disk that has not room for `needed` bytes. */
export function diskFull(path: string, needed: number, free: number | undefined): SpoutError {
  const room = free === undefined ? '' : `, ${free} bytes are free`
  return new SpoutError('cache', `${path}: the disk is full: ${needed} bytes are needed${room}`, {
    hint: `spout models rm <model>, or ${WAY_OUT}`,
  })
}
