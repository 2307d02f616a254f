import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A new folder with these files. Its name. */
export function folderWith(files: Readonly<Record<string, Uint8Array | string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'spout-graph-'))
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content)
  return folder
}

/** A file with this graph, in a folder of its own. Its path. */
export function graphFile(bytes: Uint8Array, name = 'model.onnx'): string {
  return join(folderWith({ [name]: bytes }), name)
}
