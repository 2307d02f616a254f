import { openSync, readdirSync, readFileSync } from 'node:fs'

const CLOSES_ON_EXEC = 0o2000000
/** More than shells use; a table of this size is made for the child. */
const HIGHEST = 1023

/** Descriptors beside the first three that whoever started this process gave it, and that its children get too. Linux tells. */
export function inheritedDescriptors(): number[] {
  try {
    return readdirSync('/proc/self/fd')
      .map(Number)
      .filter((fd) => fd > 2 && fd <= HIGHEST && isInherited(fd))
      .sort((a, b) => a - b)
  } catch {
    return []
  }
}

function isInherited(fd: number): boolean {
  try {
    const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1]
    return flags !== undefined && (Number.parseInt(flags, 8) & CLOSES_ON_EXEC) === 0
  } catch {
    return false // that of the listing itself
  }
}

/** For `spawn`: a child that holds nothing of ours open. A pipe that it held would not end with us. */
export function stdioOfNobody(inherited = inheritedDescriptors()): ('ignore' | number)[] {
  const stdio = new Array<'ignore' | number>(Math.max(2, ...inherited) + 1).fill('ignore')
  if (inherited.length === 0) return stdio
  const nothing = openSync('/dev/null', 'r+')
  for (const fd of inherited) stdio[fd] = nothing
  return stdio
}
