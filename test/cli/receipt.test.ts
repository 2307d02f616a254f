/** `--receipt` and `spout verify`, by the built program on the embedded model and on copies of it. */
import { createHash } from 'node:crypto'
import { cpSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { kernelChoice } from '../../src/kernels/isa.ts'
import { runHere } from '../support/run-here.ts'
import { ROOT } from '../support/run-spout.ts'

const folder = mkdtempSync(join(tmpdir(), 'spout-receipt-'))
const receipt = join(folder, 'answer.json')
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const PROMPT = ['--seed', '5', '-t', '1', '-n', '16', 'Once upon a time']
let answer: string
beforeAll(async () => {
  const run = await runHere([...PROMPT, '--receipt', receipt])
  expect(run).toMatchObject({ code: 0, stderr: '' })
  answer = run.stdout
})

const read = () => JSON.parse(readFileSync(receipt, 'utf8'))
const sealed = (part: unknown) => createHash('sha256').update(JSON.stringify(part)).digest('hex')

/** Another receipt, in a file of its own. */
function write(name: string, content: object): string {
  const path = join(folder, name)
  writeFileSync(path, JSON.stringify(content))
  return path
}

describe('a receipt', () => {
  test('[receipt.written] is beside the answer, which is as without it, and for nobody else to read', async () => {
    expect((await runHere(PROMPT)).stdout).toBe(answer)
    expect(statSync(receipt).mode & 0o777).toBe(0o600)
    const { answer: given, seed, model, prompt } = read()
    expect(seed).toBe('5')
    expect(given.text_sha256).toBe(createHash('sha256').update(answer.replace(/\n$/, '')).digest('hex'))
    expect(given.token_ids).toHaveLength(16)
    expect(prompt.tokens).toBeGreaterThan(3)
    for (const { name, bytes, sha256 } of model.files) {
      const content = readFileSync(join(ROOT, 'fixtures/models/spout-tiny', name))
      expect([name, bytes, sha256]).toEqual([
        name,
        content.length,
        createHash('sha256').update(content).digest('hex'),
      ])
    }
    expect(model.files.map(({ name }: { name: string }) => name)).toContain('onnx/model_q4.onnx')
  })

  test('[receipt.written] nothing is written where no answer was, or where it cannot be', async () => {
    const path = join(folder, 'none.json')
    const failed = await runHere(['--receipt', path, '-m', 'no/such', 'x'])
    expect(failed.code).toBe(66)
    expect(statSync(path, { throwIfNoEntry: false })).toBeUndefined()
    const refused = await runHere(['--receipt', join(folder, 'no/such/folder.json'), 'x'])
    expect(refused).toMatchObject({ code: 74, stdout: '' })
    const twice = await runHere(['--receipt', path, '-o', path, 'x'])
    expect(twice).toMatchObject({ code: 2, stderr: expect.stringContaining('--receipt and --output') })
  })

  test('[receipt.verify] is verified by every instruction set that is here', async () => {
    for (const set of ['', 'avx-vnni', 'avx2', 'none']) {
      const run = await runHere(['verify', receipt], { env: { SPOUT_ISA: set } })
      expect(run).toMatchObject({
        code: 0,
        stdout: expect.stringMatching(/^equal: 16 tokens, the same text\n/),
      })
    }
  })

  test('[receipt.verify] another set is told where everything is, and changes no token', async () => {
    if (kernelChoice().isa !== 'avx512-vnni') return
    const run = await runHere(['verify', receipt, '-v'], { env: { SPOUT_ISA: 'avx2' } })
    expect(run.stderr).toContain('instruction set: avx512-vnni then, avx2 now (changes no token)')
  })
})

describe('[receipt.causes] what is different is named:', () => {
  /** A copy of the embedded model with one file changed. */
  function changedModel(name: string, change: (content: Buffer) => Buffer): string {
    const copy = mkdtempSync(join(folder, 'model-'))
    cpSync(join(ROOT, 'fixtures/models/spout-tiny'), copy, { recursive: true })
    writeFileSync(join(copy, name), change(readFileSync(join(copy, name))))
    return copy
  }

  test('a weight', async () => {
    const model = changedModel('onnx/model_q4.onnx', (content) => {
      // Weights lie from the middle of the file on; one byte in a thousand of a part of them.
      for (let at = content.length >> 1; at < 0.75 * content.length; at += 1000) content[at]! ^= 0x11
      return content
    })
    const run = await runHere(['verify', receipt, '-m', model])
    expect(run).toMatchObject({ code: 1, stderr: '' })
    expect(run.stdout).toMatch(/^not equal: token \d+ was \d+, now (\d+ ".*"|the end)\n/)
    expect(run.stdout).toMatch(
      /\nweights onnx\/model_q4\.onnx: sha256 [0-9a-f]{12} then, sha256 [0-9a-f]{12} now\n/,
    )
  })

  test('a weight that leaves no scores to choose from', async () => {
    const model = changedModel('onnx/model_q4.onnx', (content) => {
      for (let at = content.length >> 1; at < 0.75 * content.length; at += 1000) content[at]! ^= 0x40
      return content
    })
    const run = await runHere(['verify', receipt, '-m', model])
    expect(run).toMatchObject({ code: 1, stdout: '' })
    expect(run.stderr).toMatch(
      /^spout: weights onnx\/model_q4\.onnx: sha256 .* then, sha256 .* now\nspout: error: /,
    )
  })

  test('the template', async () => {
    const template = join(folder, 'template.jinja')
    writeFileSync(
      template,
      "{% for m in messages %}{{ m.content }} {% endfor %}and {{ strftime_now('%Y-%m-%d') }}",
    )
    const chat = join(folder, 'chat.json')
    const made = await runHere([...PROMPT, '--chat-template', template, '--receipt', chat])
    expect(made.code).toBe(0)
    const again = await runHere(['verify', chat, '--chat-template', template])
    expect(again.stdout).toBe('equal: 16 tokens, the same text\n')
    writeFileSync(template, '{% for m in messages %}{{ m.content }}? {% endfor %}')
    const other = await runHere(['verify', chat, '--chat-template', template])
    expect(other.code).toBe(1)
    expect(other.stdout).toMatch(/\ntemplate: sha256 .* then, sha256 .* now\n/)
    expect(other.stdout).toMatch(/\nprompt ids: \d+ tokens, sha256/)
  })

  test('the seed, or anything else in the receipt itself', async () => {
    const run = await runHere(['verify', write('seed.json', { ...read(), seed: '6' })])
    expect(run.code).toBe(1)
    expect(run.stdout).toContain('receipt: its seed was changed after it was written\n')
  })

  test('the version, and the numbers of the kernels', async () => {
    const old = read()
    const made_by = { ...old.made_by, spout: '0.0.9', numerics: 0 }
    const path = write('old.json', { ...old, made_by, seals: { ...old.seals, made_by: sealed(made_by) } })
    const run = await runHere(['verify', path, '--json'])
    expect(run.code).toBe(0)
    expect(JSON.parse(run.stdout)).toMatchObject({
      equal: true,
      first_difference: null,
      causes: [
        { what: 'spout', was: '0.0.9' },
        { what: 'numerics', was: '0', is: '1' },
      ],
    })
  })
})

describe('[receipt.refused] what is no receipt is exit 65, what is not there 66:', () => {
  const { spout_receipt, ...rest } = { spout_receipt: 1, seed: 1 }
  test.each([
    ['{', 'receipt: it is not JSON'],
    ['[]', 'receipt: it has no field spout_receipt'],
    [JSON.stringify(rest), 'receipt: it has no field spout_receipt'],
    [JSON.stringify({ spout_receipt: 2 }), 'receipt: its form is 2, this spout reads 1'],
    [JSON.stringify({ spout_receipt }), 'receipt: made_by is missing or no object'],
  ])('%s', async (content, message) => {
    const path = join(folder, 'bad.json')
    writeFileSync(path, content)
    const run = await runHere(['verify', path])
    expect(run).toMatchObject({
      code: 65,
      stdout: '',
      stderr: expect.stringContaining(`spout: error: ${message}\n`),
    })
  })

  test('a field of another type, a request that no flags could give', async () => {
    const good = read()
    for (const [change, message] of [
      [{ seed: 5 }, 'receipt: seed is missing or of another type'],
      [
        { answer: { ...good.answer, token_ids: ['1'] } },
        'receipt: answer.token_ids[0] is missing or of another type',
      ],
      [{ request: { ...good.request, raw: 1 } }, 'request: raw: not true or false'],
    ] as const) {
      const run = await runHere(['verify', write('type.json', { ...good, ...change })])
      expect(run).toMatchObject({ code: 65, stderr: expect.stringContaining(message) })
    }
  })

  test('no file, or several', async () => {
    expect((await runHere(['verify', join(folder, 'nothing.json')])).code).toBe(66)
    expect((await runHere(['verify'])).code).toBe(2)
    expect((await runHere(['verify', receipt, receipt])).code).toBe(2)
  })
})
