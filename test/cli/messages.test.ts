import { describe, expect, it } from 'vitest'
import { asSpoutError } from '../../src/cli/terminal/messages.ts'

const systemError = (code: string) =>
  Object.assign(new Error(`${code}: refused, write`), { code, syscall: 'write' })

describe('what nobody foresaw', () => {
  it.each(['ENOSPC', 'EDQUOT', 'EFBIG'])('is output where no room is left (%s)', (code) => {
    expect(asSpoutError(systemError(code))).toMatchObject({ code: 'output', hint: 'free some space' })
  })

  it.each(['EMFILE', 'ENOMEM', 'EAGAIN'])('is the system where it has no more to give (%s)', (code) => {
    expect(asSpoutError(systemError(code))).toMatchObject({ code: 'os' })
  })

  it('is internal else', () => {
    expect(asSpoutError(new TypeError('x is not a function'))).toMatchObject({ code: 'internal' })
  })
})
