/** Defaults of the user's: the configuration file, variables, `spout config`, `--dry-run`. */
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { configPath } from '../../src/cli/config-path.ts'
import { readConfigFile, readSettings, withSettings, writeConfigFile } from '../../src/cli/settings.ts'
import { spoutCacheFolder } from '../../src/system/spout-cache.ts'
import { errorLines, literal, testRows } from '../support/cli-rows.ts'
import { runHere } from '../support/run-here.ts'
import { HOME } from '../support/run-spout.ts'
import { EOS, removeToys, toyModel } from '../support/toy-model.ts'

const toy = toyModel({ scripts: { a: ['Hello', EOS] } })
afterAll(removeToys)

/** An environment with this configuration file. */
function configured(content: string | object): { env: { XDG_CONFIG_HOME: string }; path: string } {
  const folder = mkdtempSync(join(HOME, 'config-'))
  const path = join(folder, 'spout/config.json')
  mkdirSync(join(folder, 'spout'))
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
  return { env: { XDG_CONFIG_HOME: folder }, path }
}

test('[files.own] where own files are', () => {
  expect(spoutCacheFolder({ SPOUT_CACHE_DIR: '/a', XDG_CACHE_HOME: '/b', HOME: '/c' })).toBe('/a')
  expect(spoutCacheFolder({ XDG_CACHE_HOME: '/b', HOME: '/c' })).toBe('/b/spout')
  expect(spoutCacheFolder({ HOME: '/c' })).toBe('/c/.cache/spout')
  expect(configPath({ XDG_CONFIG_HOME: '/b', HOME: '/c' })).toBe('/b/spout/config.json')
  expect(configPath({ HOME: '/c' })).toBe('/c/.config/spout/config.json')
  expect(configPath({ XDG_CONFIG_HOME: 'relative', HOME: '/c' })).toBe('/c/.config/spout/config.json')
  expect(configPath({ HOME: 'relative' }).startsWith(process.cwd())).toBe(false)
})

describe('[options.settings] who wins', () => {
  const { env } = configured({ threads: 2, model: 'a/b', offline: true, 'cache-dir': '/models' })
  const options = { stdin: true, newline: true }

  test('a flag over a variable over the file', () => {
    expect(withSettings(options, env)).toMatchObject({
      threads: 2,
      model: 'a/b',
      offline: true,
      cacheDir: '/models',
    })
    const both = { ...env, SPOUT_THREADS: '3', SPOUT_OFFLINE: 'no', HF_HOME: '/hf' }
    expect(withSettings(options, both)).toMatchObject({ threads: 3, model: 'a/b', offline: false })
    expect(withSettings(options, both)).not.toHaveProperty('cacheDir')
    expect(withSettings({ ...options, threads: 4 }, both)).toMatchObject({ threads: 4 })
  })

  test('an empty variable is none; no file is an empty one', () => {
    expect(readSettings({ XDG_CONFIG_HOME: '/nowhere', SPOUT_THREADS: '' })).toEqual([])
  })
})

describe('[A12 exit.78] a configuration file that is wrong', () => {
  const read = (content: string | object) => {
    const { env, path } = configured(content)
    return { path, failure: expect(() => readSettings(env)) }
  }

  test('no JSON, with its line', () => {
    const { path, failure } = read('{\n  "threads": 2,\n  oops\n}')
    failure.toThrow(expect.objectContaining({ code: 'config', message: `${path}:3: not JSON` }))
  })

  test.each([
    ['// a comment\n{}\n', 1],
    ['{"threads": 2}\n# a comment\n', 2],
    ['{\n"threads": tru\n}\n', 2],
    ['{\n"model": "half\n}\n', 2],
  ])('no JSON, with its line, where the parser names none: %j', (text, line) => {
    const { path, failure } = read(text)
    failure.toThrow(expect.objectContaining({ message: `${path}:${line}: not JSON` }))
  })

  test('a pipe is not waited for', () => {
    const folder = mkdtempSync(join(HOME, 'config-'))
    mkdirSync(join(folder, 'spout'))
    execFileSync('mkfifo', [join(folder, 'spout/config.json')])
    const message = expect.stringMatching(/cannot be read: not a regular file$/)
    expect(() => readSettings({ XDG_CONFIG_HOME: folder })).toThrow(
      expect.objectContaining({ code: 'config', message }),
    )
  })

  test.each(['[]', '7', 'null', '"x"'])('no object: %s', (text) => {
    read(text).failure.toThrow(/:1: not an object$/)
  })

  test('an unknown key, with the nearest', () => {
    const message = expect.stringContaining('no setting is called "thread"')
    read({ thread: 2 }).failure.toThrow(
      expect.objectContaining({
        code: 'usage',
        message,
        hint: 'did you mean threads; spout config unset thread removes it',
      }),
    )
  })

  test('an empty one, and one with a byte order mark, are none and itself', () => {
    expect(readSettings(configured('').env)).toEqual([])
    expect(readSettings(configured('\uFEFF{"threads": 2}').env)).toMatchObject([{ value: 2 }])
  })

  test('__proto__ is unknown, and changes no prototype', () => {
    read('{"__proto__": {"model": "x/y"}}').failure.toThrow('no setting is called "__proto__"')
    expect(({} as { model?: string }).model).toBeUndefined()
  })

  test('a bad value, and how to be rid of it', () => {
    const hint = 'spout config unset threads'
    read({ threads: 'many' }).failure.toThrow(expect.objectContaining({ code: 'config', hint }))
    read({ dtype: ['q4'] }).failure.toThrow('dtype: ["q4"] is not a text, a number, true or false')
  })

  test('a folder; one that may not be read', () => {
    const folder = mkdtempSync(join(HOME, 'config-'))
    mkdirSync(join(folder, 'spout/config.json'), { recursive: true })
    expect(() => readSettings({ XDG_CONFIG_HOME: folder })).toThrow(/cannot be read: EISDIR/)
    const { env, path } = configured({})
    chmodSync(path, 0)
    // The superuser may read everything.
    if (process.getuid?.() !== 0) expect(() => readSettings(env)).toThrow(/cannot be read: EACCES/)
  })
})

test('a configuration file behind links is changed where it lies, and the links stay', () => {
  const { path } = configured({ threads: 2 })
  const folder = mkdtempSync(join(HOME, 'config-'))
  symlinkSync(path, join(folder, 'config.json'))
  symlinkSync('not/yet.json', join(folder, 'dangling.json'))
  for (const name of ['config.json', 'dangling.json']) {
    const target = readlinkSync(join(folder, name))
    writeConfigFile(join(folder, name), new Map([['threads', 3]]))
    expect(readlinkSync(join(folder, name))).toBe(target)
    expect(readConfigFile(join(folder, name))).toEqual(new Map([['threads', 3]]))
  }
  expect(readConfigFile(path).get('threads')).toBe(3)
})

describe.concurrent('the program', () => {
  const bad = configured({ modle: 'x' })
  const offline = configured({ offline: true })
  testRows([
    {
      proves: ['A12', 'exit.2'],
      what: 'refuses an unknown key before anything else',
      argv: ['x'],
      env: bad.env,
      stderr: errorLines(
        `${bad.path}: no setting is called "modle"`,
        'did you mean model; spout config unset modle removes it',
      ),
      code: 2,
    },
    {
      proves: ['options.settings'],
      what: 'takes its model from a variable',
      argv: ['--no-stdin', 'a'],
      env: { SPOUT_MODEL: toy },
      stdout: 'Hello\n',
    },
    {
      proves: ['options.settings'],
      what: 'names the setting that a failure speaks of',
      argv: ['--no-stdin', 'a'],
      env: { SPOUT_MODEL: 'org/nowhere', SPOUT_THREADS: '1' },
      stderr: /^spout: error: org\/nowhere: .*\nspout: hint: .* \(the model is that of SPOUT_MODEL\)\n$/,
      code: 66,
    },
    ...[
      ['-m', 'org/nowhere', '--no-stdin', 'a'],
      ['models', 'pull', 'org/nowhere'],
      ['models', 'show', 'org/nowhere'],
    ].map((argv) => ({
      proves: ['options.settings'],
      what: `tells who has forgotten it that he is offline: ${argv.join(' ')}`,
      argv,
      env: { ...offline.env, HF_HUB_OFFLINE: '0' },
      stderr: new RegExp(
        `^spout: error: org/nowhere: .*\nspout: hint: .* \\(the offline is that of ${literal(offline.path)}\\)\n$`,
      ),
      code: 66,
    })),
    {
      proves: ['options.settings'],
      what: 'names the variable that is wrong',
      argv: ['--no-stdin', 'a'],
      env: { SPOUT_THREADS: '0' },
      stderr: errorLines('SPOUT_THREADS: "0" is not a whole number from 1 to 4096'),
      code: 2,
    },
    {
      proves: ['options.threads'],
      what: 'refuses a number of threads that would hang the machine, wherever it comes from',
      argv: ['--no-stdin', 'a'],
      env: { SPOUT_THREADS: '4096' },
      stderr:
        /^spout: error: SPOUT_THREADS: 4096 threads would hang this machine of \d+ processors?\nspout: hint: --threads \d+, or leave it out\n$/,
      code: 2,
    },
    {
      proves: ['options.threads'],
      what: 'says that more threads than processors wait for each other',
      argv: ['--no-stdin', '-m', toy, '--threads', String(availableParallelism() + 1), 'a'],
      stdout: 'Hello\n',
      stderr: /^spout: \d+ threads on \d+ processors? wait for each other: \d+ would be faster\n$/,
    },
    {
      proves: ['options.dry-run'],
      what: '--dry-run says what would run',
      argv: ['-m', toy, '--no-stdin', '--dry-run', 'abc'],
      stdout: new RegExp(
        [
          `^model {5}${literal(toy)} \\(fp32\\)`,
          `file {6}${literal(toy)}/onnx/model\\.onnx \\(.* kB\\)`,
          "runs {6}ONNX Runtime's kernels \\(no kernel of spout's computes matmul or attention of this kind\\), not prepared, \\d+ threads?, c-api",
          'template {2}the model has none: the text is completed',
          'sampling {2}greedy',
          'seed {6}drawn for each run',
          'prompt {4}3 tokens',
          'answer {4}at most 512 tokens',
          'context {3}4096 tokens',
          'memory {4}.* kB of weights, .* kB of KV cache; .* are free',
          'fits {6}yes\n$',
        ].join('\\n'),
      ),
    },
    {
      proves: ['options.dry-run', 'G3'],
      what: '--dry-run of what would not fit',
      argv: ['--no-stdin', '--dry-run', '--json', '--ctx-size', '3', 'Once upon a time'],
      stdout: /^\{"model":"spout-tiny".*"prompt_tokens":5,.*"context_length":3,.*"fits":false\}\n$/,
      stderr: errorLines('prompt: it does not fit the context', 'shorten the text'),
      code: 65,
    },
  ])

  test('[options.dry-run] no weights are looked at, and the cache is worked out', async () => {
    const { stdout } = await runHere(['--no-stdin', '--dry-run', '--json', '-n', '95', 'Once upon a time'])
    const plan = JSON.parse(stdout)
    // Keys and values of 5 layers with 2 heads of 32, 4 bytes each, of 100 tokens.
    expect(plan).toMatchObject({
      prompt_tokens: 5,
      max_tokens: 95,
      kv_bytes: 2 * 5 * 2 * 32 * 4 * 100,
      fits: true,
    })
    expect(plan.free_bytes).toBeGreaterThan(plan.weight_bytes)
  })
})

test('[options.cache json.document] a model of the cache, by its name and offline', async () => {
  const cache = mkdtempSync(join(HOME, 'hub-'))
  const commit = '0123456789'.repeat(4)
  const repo = join(cache, 'models--org--toy')
  cpSync(toy, join(repo, 'snapshots', commit), { recursive: true })
  mkdirSync(join(repo, 'refs'))
  writeFileSync(join(repo, 'refs/main'), commit)
  const flags = ['--no-stdin', '--offline', '--cache-dir', cache]
  const found = await runHere(['-m', 'org/toy', ...flags, '--json', 'a'], {
    env: { HF_HUB_OFFLINE: undefined },
  })
  expect(JSON.parse(found.stdout)).toMatchObject({ model: 'org/toy', revision: commit, text: 'Hello' })
  const missing = await runHere(['-m', 'org/other', ...flags, 'a'])
  expect(missing.stderr).toMatch(
    /^spout: error: org\/other: not .*cache.*\nspout: hint: .*spout models pull org\/other\n$/,
  )
  expect(missing.code).toBe(66)
})

test('[config.command] sets, shows, gets and forgets', async () => {
  const env = {
    XDG_CONFIG_HOME: mkdtempSync(join(HOME, 'config-')),
    SPOUT_NO_PREPARE: '',
    SPOUT_PROMPT_CACHE: '',
  }
  const config = async (...argv: string[]) => {
    const { stdout, stderr, code } = await runHere(['config', ...argv], { env })
    return code === 0 ? stdout : stderr
  }
  const path = join(env.XDG_CONFIG_HOME, 'spout/config.json')
  expect(await config()).toBe('')
  expect(await config('path')).toBe(`${path}\n`)
  expect(await config('set', 'threads', '3')).toBe('')
  expect(await config('set', 'model', 'org/name')).toBe('')
  expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual({ threads: 3, model: 'org/name' })
  expect(await config('list')).toBe(`model = org/name  (${path})\nthreads = 3       (${path})\n`)
  expect(await config('get', 'threads')).toBe('3\n')
  expect(await config('set', 'threads', 'x')).toMatch(
    errorLines('threads: "x" is not a whole number from 1 to 4096'),
  )
  expect(await config('set', 'thread', '1')).toMatch(
    errorLines('config: no setting is called "thread"', 'did you mean threads'),
  )
  expect(await config('unest', 'threads')).toMatch(
    errorLines('config: no action is called "unest"', 'did you mean unset'),
  )
  expect(await config('unset', 'threads')).toBe('')
  expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual({ model: 'org/name' })
  expect(existsSync(`${path}.tmp`)).toBe(false)

  writeFileSync(path, '{"modle": "x", "threads": 2}')
  expect(await config('unset', 'modle')).toBe('')
  expect(await config('unset', 'modle')).toMatch(errorLines('config: no setting is called "modle"'))
  const cwd = mkdtempSync(join(HOME, 'cwd-'))
  for (const [name, folder] of [
    ['model', './x'],
    ['cache-dir', 'c'],
    ['model', 'y'],
  ] as const) {
    if (folder === 'y') mkdirSync(join(cwd, 'y'))
    await runHere(['config', 'set', name, folder], { env, cwd })
    expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({ [name]: join(cwd, folder), threads: 2 })
  }
})
