/**
 * Puts small faults into files, one at a time, and tells which of them the tests nearest to the file do not see.
 *
 *     npm run mutants -- src/sampling/sampler.ts                 ten faults of a file
 *     npm run mutants -- src/kernels src/hub --seed 7 --count 60 of all files below
 *     npm run mutants -- … --part 2/6                            the second sixth of those
 *     npm run mutants -- … --at LINE                             all faults of a line
 *     npm run mutants -- … --tests test/a.test.ts,test/b         by these tests
 *     npm run mutants -- --named test/mutants/named.json         those of a list
 *     npm run mutants -- … --write test/mutants/found.jsonl      adds what was found, a line each
 *     npm run mutants -- … --list                                only lists them
 *
 * The same files, seed and count are the same faults. All happens in a copy of the tree in the temporary folder, so that nothing
 * stays behind, whatever ends it. The exit code is 1 when a fault survived.
 */
import { spawn } from 'node:child_process'
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { applied, mutationsOf } from './mutations.mjs'
import { nearestTests } from './nearest-tests.mjs'

const ROOT = resolve(import.meta.dirname, '../..')
/** Test files of the first try, and of the second for what the first did not see. */
const FIRST = 3
const SECOND = 4
/** A run that takes longer hangs. */
const LIMIT_MS = 240_000
/** What a test cannot see by its nature, as far as a line tells. */
const LOOKS_EQUIVALENT =
  /prefetch|performance\.now|trace\?\.|\bhint:|\.unref\(|spinning|catch\(\(\) => undefined\)/

/** Ends the tests that run. */
let running

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: 'string', default: '1' },
    count: { type: 'string', default: '10' },
    part: { type: 'string' },
    at: { type: 'string' },
    tests: { type: 'string' },
    write: { type: 'string' },
    named: { type: 'string' },
    list: { type: 'boolean', default: false },
  },
})
if (positionals.length === 0 && options.named === undefined)
  throw new Error('mutants: name files or folders of src')

/** The faults to try: a file is drawn, then one of its faults. */
function chosen() {
  const files = positionals.flatMap(filesBelow)
  const pool = files.map((file) => {
    const source = readFileSync(join(ROOT, file), 'utf8')
    return mutationsOf(source).map((mutation) => ({ file, source, mutation }))
  })
  if (options.at !== undefined)
    return pool.flat().filter(({ mutation }) => mutation.line === Number(options.at))
  const random = makeRandom(Number(options.seed))
  const drawn = []
  let left = pool.filter((each) => each.length > 0)
  while (drawn.length < Number(options.count) && left.length > 0) {
    const list = left[Math.floor(random() * left.length)]
    drawn.push(...list.splice(Math.floor(random() * list.length), 1))
    left = left.filter((each) => each.length > 0)
  }
  const [part, parts] = (options.part ?? '1/1').split('/').map(Number)
  return drawn.filter((_, i) => Math.floor((i * parts) / drawn.length) === part - 1)
}

/** Faults of a file of ours: `{ name, file, find, replace, tests }`, where `find` stands once in the file. */
function named(path) {
  return JSON.parse(readFileSync(path, 'utf8')).flatMap(({ name, file, find, replace, tests }) => {
    const source = existsSync(join(ROOT, file)) ? readFileSync(join(ROOT, file), 'utf8') : ''
    const start = source.indexOf(find)
    if (start < 0 || source.includes(find, start + 1)) {
      console.log(`not once in ${file}: ${name}`)
      return []
    }
    const line = source.slice(0, start).split('\n').length
    return {
      file,
      source,
      tests,
      mutation: { start, end: start + find.length, text: replace, kind: name, line },
    }
  })
}

function filesBelow(path) {
  const whole = resolve(ROOT, path)
  if (!statSync(whole).isDirectory()) return [path]
  return readdirSync(whole, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .sort()
    .map((name) => `${path.replace(/\/$/, '')}/${name.replaceAll('\\', '/')}`)
}

async function tryAll(list) {
  const tree = copyTree()
  process.on('exit', () => {
    running?.()
    rmSync(resolve(tree, '..'), { recursive: true, force: true })
  })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(130))
  const faulty = new Set()
  let survived = 0
  for (const [i, mutant] of list.entries()) {
    const outcome = await tryOne(tree, mutant, faulty)
    if (outcome.how === 'survived' || outcome.how === 'looks equivalent') survived++
    console.log(
      `${i + 1}/${list.length} ${outcome.how}: ${described(mutant)}${outcome.by ? `\n    by ${outcome.by}` : ''}`,
    )
    if (options.write !== undefined)
      appendFileSync(options.write, `${JSON.stringify(recordOf(mutant, outcome))}\n`)
  }
  console.log(`${list.length - survived} of ${list.length} were seen`)
  return survived === 0 ? 0 : 1
}

/** Beside it what tests find beside the project. */
function copyTree() {
  const folder = mkdtempSync(join(tmpdir(), 'spout-mutants-'))
  const tree = join(folder, basename(ROOT))
  mkdirSync(tree)
  for (const name of readdirSync(ROOT).filter((each) => each !== '.git')) {
    if (name === 'node_modules') symlinkSync(join(ROOT, name), join(tree, name))
    else cpSync(join(ROOT, name), join(tree, name), { recursive: true, verbatimSymlinks: true })
  }
  symlinkSync(resolve(ROOT, '../shared'), join(folder, 'shared'))
  return tree
}

/** The nearest tests, then some more. */
async function tryOne(tree, mutant, faulty) {
  const { file, source, mutation } = mutant
  const all = mutant.tests ?? options.tests?.split(',') ?? nearestTests(ROOT, file)
  const tests = all.filter((test) => !faulty.has(test))
  for (const some of [tests.slice(0, FIRST), tests.slice(FIRST, FIRST + SECOND)].filter(
    (list) => list.length > 0,
  )) {
    writeFileSync(join(tree, file), applied(source, mutation))
    const { isLate, failed } = await runTests(tree, some, LIMIT_MS)
    writeFileSync(join(tree, file), source)
    if (isLate) return { how: 'killed', by: 'a run that did not end' }
    if (failed === undefined) continue
    if (await passes(tree, failed.file)) return { how: 'killed', by: failed.name }
    // It fails without a fault as well: again without it.
    console.log(`left out, for it fails by itself: ${failed.name}`)
    faulty.add(failed.file)
    return tryOne(tree, mutant, faulty)
  }
  const line = source.split('\n')[mutation.line - 1]
  return { how: LOOKS_EQUIVALENT.test(line) ? 'looks equivalent' : 'survived' }
}

const passed = new Set()

async function passes(tree, test) {
  if (!passed.has(test) && (await runTests(tree, [test], LIMIT_MS)).failed === undefined) passed.add(test)
  return passed.has(test)
}

/** @returns the first test that failed, if any */
function runTests(tree, tests, limit) {
  const report = join(tree, '..', 'report.json')
  rmSync(report, { force: true })
  const args = [
    join(tree, 'node_modules/vitest/vitest.mjs'),
    'run',
    '--bail=1',
    '--reporter=json',
    `--outputFile=${report}`,
    ...tests,
  ]
  const child = spawn(process.execPath, args, { cwd: tree, stdio: 'ignore', detached: true })
  running = () => process.kill(-child.pid, 'SIGKILL')
  return new Promise((done) => {
    let isLate = false
    const timer = setTimeout(() => {
      isLate = true
      running()
    }, limit)
    child.on('close', (code) => {
      clearTimeout(timer)
      running = undefined
      done({ isLate, failed: code === 0 || isLate ? undefined : firstFailure(report, tests) })
    })
  })
}

function firstFailure(report, tests) {
  try {
    const { testResults } = JSON.parse(readFileSync(report, 'utf8'))
    for (const { name, assertionResults, status } of testResults) {
      const failed = assertionResults.find((each) => each.status === 'failed')
      const file = name.slice(name.lastIndexOf('/test/') + 1)
      if (failed !== undefined) return { file, name: `${file} > ${failed.fullName}` }
      if (status === 'failed') return { file, name: `${file}, which cannot be loaded` }
    }
  } catch {}
  return { file: tests[0], name: `the process of ${tests[0]}` }
}

function described({ file, source, mutation }) {
  const { before, after } = changeOf(source, mutation)
  return `${file}:${mutation.line} ${mutation.kind}: ${before} → ${after}`
}

function recordOf({ file, source, mutation }, outcome) {
  const { before, after } = changeOf(source, mutation)
  return {
    seed: Number(options.seed),
    file,
    line: mutation.line,
    kind: mutation.kind,
    before,
    after,
    ...outcome,
  }
}

/** The line, before and after. */
function changeOf(source, mutation) {
  const start = source.lastIndexOf('\n', mutation.start - 1) + 1
  const rest = (text, end) =>
    text.slice(start, Math.max(end, text.indexOf('\n', end) < 0 ? text.length : text.indexOf('\n', end)))
  const short = (text) => (text.length > 160 ? `${text.slice(0, 157)}...` : text)
  const flat = (text) => short(text.replace(/\s+/g, ' ').trim())
  const after = applied(source, mutation)
  return {
    before: flat(rest(source, mutation.end)),
    after: flat(rest(after, mutation.start + mutation.text.length)),
  }
}

/** mulberry32 */
function makeRandom(seed) {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

const mutants = options.named === undefined ? chosen() : named(options.named)
if (options.list) for (const mutant of mutants) console.log(described(mutant))
else process.exitCode = await tryAll(mutants)
