/** Loaded into a measured process (`node --require`): tells its peak of resident memory, in bytes, into the file PEAK_MEMORY_FILE. */
const { readFileSync, writeFileSync } = require('node:fs')

process.on('exit', () => {
  // Linux's own account. What getrusage says begins with the size of the process that started this one.
  const line = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))
  writeFileSync(process.env.PEAK_MEMORY_FILE, String(1024 * Number(line[1])))
})
