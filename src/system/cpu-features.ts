/** What the arrangement of weights depends on: the processor, since each kind of instruction wants its own. */
import { createHash } from 'node:crypto'
import { closeSync, openSync, readSync } from 'node:fs'
import { cpus } from 'node:os'

/** The lines of /proc/cpuinfo that name a processor and what it can do, on x86 and on Arm. */
const TELLING = /^(vendor_id|model name|flags|Features|CPU (implementer|architecture|variant|part))\s*:.*$/gm
/** Longer than the entry of one processor. */
const ENTRY_BYTES = 8192

/** A short text that differs where the processor's features do. */
export function processorMark(): string {
  mark ??= createHash('sha256')
    .update(`${process.platform} ${process.arch} ${processorText()}`)
    .digest('hex')
    .slice(0, 16)
  return mark
}

let mark: string | undefined

function processorText(): string {
  const [first = ''] = firstBytes('/proc/cpuinfo').split('\n\n')
  const lines = first.match(TELLING)
  return lines === null ? (cpus()[0]?.model ?? '') : lines.join('\n')
}

function firstBytes(path: string): string {
  let file: number | undefined
  try {
    file = openSync(path, 'r')
    const memory = Buffer.alloc(ENTRY_BYTES)
    return memory.toString('latin1', 0, readSync(file, memory, 0, ENTRY_BYTES, 0))
  } catch {
    return '' // no Linux
  } finally {
    if (file !== undefined) closeSync(file)
  }
}
