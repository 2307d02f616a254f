import { statusOf } from '../system/list-files.ts'

/** What makes a cache one that somebody else could have put something into; `undefined` where nothing does. */
export function cacheWarning(folders: readonly string[]): string | undefined {
  const us = process.getuid?.()
  if (us === undefined) return undefined
  for (const folder of folders) {
    const status = statusOf(folder)
    if (status === undefined) continue
    const sticky = (status.mode & 0o1000) !== 0
    if ((status.mode & 0o002) !== 0 && !sticky) return `${folder}: everybody can write to the model cache`
    if (status.uid !== us && status.uid !== 0) return `${folder}: the model cache belongs to another user`
  }
  return undefined
}
