/**
 * Loads the built program file by file, as `require` does, and with what V8 compiled of these files when they were built:
 * `code.bin` beside them. Half of the time of a start was compiling. A file that has changed since, or another Node or
 * other flags: it is compiled as ever, and nobody need know.
 *
 * code.bin: an index as JSON, filled up with spaces, then the code of each file.
 */
const { closeSync, fstatSync, openSync, readSync, renameSync, statSync, writeFileSync } = require('node:fs')
const { createRequire } = require('node:module')
const { Script } = require('node:vm')

const HEAD = '(function (exports, require, module, __filename, __dirname) { '
const TAIL = '\n})'
const FIRST_ROOM = 1 << 19
/** The code of another is none of ours. V8 itself compares versions and flags, and takes nothing that was made with others. */
const NODE = `${process.version} ${process.arch}`
const INDEX_ROOM = 16384
const NO_CODE = { names: [], codeOf: () => undefined }

/** @param {string} folder of the built files. @returns {{ load(name: string): any, writeCode(): void }} */
exports.openBundle = function openBundle(folder) {
  const outside = createRequire(`${folder}/start.cjs`)
  const { codeOf } = readCode(folder)
  const read = sourceReader()
  const modules = new Map()
  const scripts = new Map()

  function load(name) {
    const known = modules.get(name)
    if (known !== undefined) return known.exports
    const filename = `${folder}/${name}`
    const module = { exports: {}, filename, id: filename, loaded: false }
    modules.set(name, module)
    try {
      const script = compile(name, filename)
      scripts.set(name, script)
      script.runInThisContext()(module.exports, requireInside, module, filename, folder)
    } catch (error) {
      modules.delete(name)
      throw error
    }
    module.loaded = true
    return module.exports
  }

  function compile(name, filename) {
    const source = read(filename)
    const columnOffset = -HEAD.length
    const cachedData = codeOf(name)
    return new Script(source, { filename, columnOffset, cachedData })
  }

  const requireInside = (id) => (id.startsWith('./') ? load(id.slice(2)) : outside(id))
  requireInside.resolve = outside.resolve
  return { load, writeCode: () => writeCode(folder, scripts) }
}

/** Reads files of ASCII into the same memory. @returns what gives the text of one as a function of what a module is given */
function sourceReader() {
  let bytes = Buffer.allocUnsafeSlow(FIRST_ROOM)
  bytes.latin1Write(HEAD)
  return (filename) => {
    const file = openSync(filename, 'r')
    const { size } = fstatSync(file)
    const least = HEAD.length + size + TAIL.length
    if (least > bytes.length) {
      bytes = Buffer.allocUnsafeSlow(least)
      bytes.latin1Write(HEAD)
    }
    const end = HEAD.length + readSync(file, bytes, HEAD.length, size, 0)
    closeSync(file)
    return bytes.latin1Slice(0, end + bytes.latin1Write(TAIL, end))
  }
}

/**
 * The code of each file by its name, until the next is asked for; `undefined` where it is not of that very file. Each is read
 * into the same memory: to touch new memory is what takes longest here.
 */
function readCode(folder) {
  try {
    const file = openSync(`${folder}/code.bin`, 'r')
    const head = Buffer.allocUnsafeSlow(INDEX_ROOM)
    readSync(file, head, 0, INDEX_ROOM, 0)
    const { node, most, files } = JSON.parse(head.toString('latin1'))
    if (node !== NODE) return NO_CODE
    const bytes = Buffer.allocUnsafeSlow(most)
    const codeOf = (name) => {
      const { stamp, at, length } = files[name] ?? {}
      if (stamp === undefined || stamp !== stampOf(`${folder}/${name}`)) return undefined
      return bytes.subarray(0, readSync(file, bytes, 0, length, at))
    }
    return { names: Object.keys(files), codeOf }
  } catch {
    return NO_CODE
  }
}

/** Of what has been loaded, with all functions that have run; of other files what is there. */
function writeCode(folder, scripts) {
  const { names, codeOf } = readCode(folder)
  const files = {}
  const parts = []
  let at = INDEX_ROOM
  let most = 0
  for (const name of new Set([...names, ...scripts.keys()])) {
    const data = scripts.get(name)?.createCachedData() ?? Buffer.from(codeOf(name) ?? [])
    files[name] = { stamp: stampOf(`${folder}/${name}`), at, length: data.length }
    parts.push(data)
    at += data.length
    most = Math.max(most, data.length)
  }
  const index = Buffer.alloc(INDEX_ROOM, ' ')
  if (index.write(JSON.stringify({ node: NODE, most, files })) === INDEX_ROOM) return
  writeFileSync(`${folder}/code.tmp`, Buffer.concat([index, ...parts]))
  renameSync(`${folder}/code.tmp`, `${folder}/code.bin`)
}

function stampOf(file) {
  const { size, mtimeMs } = statSync(file)
  return `${size} ${mtimeMs}`
}
