/**
 * The end of a process while native work is under way that cannot be stopped, such as a session that loads. An ordinary
 * exit waits for the threads of the pool, and so for that work.
 */

/** Ends the process with `code`, after what listens to its end; `process.exit` where there is no other way. */
export async function leave(code: number): Promise<never> {
  const exitAtOnce = await openExit()
  process.on('exit', () => exitAtOnce?.(code))
  process.exit(code)
}

async function openExit(): Promise<((code: number) => void) | undefined> {
  // There an ordinary exit does not wait.
  if (process.platform === 'win32') return undefined
  try {
    const { default: koffi } = await import('koffi')
    return koffi.load(null).func('void _exit(int code)') as (code: number) => void
  } catch {
    return undefined
  }
}
