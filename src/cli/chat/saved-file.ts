/** `/save` and `/load`: the files of a conversation. */
import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import { SpoutError } from '../../errors.ts'
import { openFileOutput } from '../../output/file-output.ts'
import { findOutput } from '../../output/output-path.ts'
import { withHome } from '../config-path.ts'
import type { ChatSession } from './chat-session.ts'

/**
 * Writes the whole conversation, for its owner only where the file is new.
 * @param words a path as it was typed
 * @param replaces another file may be in its place
 * @throws SpoutError `output` for a file that is not this conversation's, unless `replaces`
 */
export async function saveConversation(
  session: ChatSession,
  words: string,
  { replaces }: { replaces: boolean },
): Promise<void> {
  const { transcript, engine, ownFiles } = session
  const path = withHome(words)
  const file = openFileOutput(path, { mode: 0o600 })
  if (!replaces && !ownFiles.has(resolve(path)) && holdsSomething(path)) {
    file.discard()
    throw new SpoutError('output', `${path}: there is a file already`, {
      hint: `/save! ${words} replaces it`,
    })
  }
  await file.write(transcript.document(engine.model.id))
  await file.flush()
  file.commit()
  ownFiles.add(resolve(path))
  await session.keepForNextRun({ isSaved: true })
}

export function loadConversation({ transcript, ownFiles }: ChatSession, words: string): void {
  const path = withHome(words)
  transcript.load(path)
  ownFiles.add(resolve(path))
}

function holdsSomething(path: string): boolean {
  return findOutput(path).kind === 'file' && (statSync(path, { throwIfNoEntry: false })?.size ?? 0) > 0
}
