import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { PartialFile } from '../../src/hub-cache/partial-file.ts'
import { newIdentity } from '../../src/system/process-identity.ts'
import { temporaryFolder } from '../support/model-repo.ts'

test.each([
  { left: 'abc', received: 3 },
  { left: 'abcdef', received: 6 },
  { left: 'abcdefg', received: 0 },
])('of a blob of 6 bytes "$left" is left: $received are gone on with', async ({ left, received }) => {
  const blob = join(temporaryFolder(), 'a'.repeat(64))
  // Of this process, which writes to no such file any more.
  writeFileSync(`${blob}.${newIdentity()}.incomplete`, left)
  const partial = await PartialFile.open(blob, 6)
  expect(partial.received).toBe(received)
  expect(statSync(partial.path).size).toBe(received)
  await partial.append(Buffer.from('abcdef'.slice(received)))
  await partial.commit(blob)
  expect(readFileSync(blob, 'utf8')).toBe('abcdef')
})
