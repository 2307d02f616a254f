import { utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { fileState, sameContent } from '../../src/system/file-state.ts'
import { temporaryFolder } from '../support/model-repo.ts'

describe('the state of a file', () => {
  const path = join(temporaryFolder(), 'file')

  it('is another when the content is, although size and time of change were put back', () => {
    writeFileSync(path, 'one')
    utimesSync(path, 1, 1)
    const state = fileState(path)
    writeFileSync(path, 'two')
    utimesSync(path, 1, 1)
    expect(fileState(path)).toMatchObject({ size: state.size, modified: state.modified })
    expect(sameContent(state)).toBeUndefined()
  })

  it('is the same object while nothing moved, and renewed when only times did', () => {
    writeFileSync(path, 'one')
    const state = fileState(path)
    expect(sameContent(state)).toBe(state)
    utimesSync(path, 1, 1)
    expect(sameContent(state)).toMatchObject({ sha256: state.sha256, modified: '1000000000' })
    expect(sameContent({ ...state, size: 4 })).toBeUndefined()
  })
})
