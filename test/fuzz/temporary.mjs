import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Folders that go with the process. */
export function temporaryFolders() {
  const all = []
  return {
    make() {
      const folder = mkdtempSync(join(tmpdir(), 'spout-fuzz-'))
      chmodSync(folder, 0o700)
      all.push(folder)
      return folder
    },
    removeAll() {
      for (const folder of all) rmSync(folder, { recursive: true, force: true })
    },
  }
}
