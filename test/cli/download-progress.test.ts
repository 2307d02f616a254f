import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { createDownloadProgress, type DownloadProgress } from '../../src/cli/terminal/download-progress.ts'

let shown: DownloadProgress
afterEach(() => shown.close())

/** A stream that remembers, and a clock that is set. */
function start(stream: { isTTY?: boolean; columns?: number } = {}, env: Record<string, string> = {}) {
  const written: string[] = []
  const clock = { now: 0 }
  shown = createDownloadProgress(
    { write: (text) => written.push(text), ...stream },
    { env, now: () => clock.now },
  )
  const at = (ms: number, received: number, { file = 'model.onnx_data', total = 1e9, done = false } = {}) => {
    clock.now = ms
    shown.onProgress({ file, received, total, done })
  }
  return { written, at }
}

/** What a terminal shows after these writes. */
function screen(written: readonly string[]): string[] {
  const rows: string[] = ['']
  let row = 0
  for (const [part] of written.join('').matchAll(/\x1b\[\d*[AJ]|\r|\n|[^\x1b\r\n]+/g)) {
    const up = /^\x1b\[(\d+)A$/.exec(part)
    if (up) row -= Number(up[1])
    else if (part === '\x1b[J') rows.splice(row, rows.length, '')
    else if (part === '\n') rows[++row] ??= ''
    else if (part !== '\r') rows[row] += part
  }
  return rows.filter((line) => line !== '')
}

describe('on a terminal', () => {
  it('there is one bar for each running file, with size, speed and time left', () => {
    const { written, at } = start({ isTTY: true, columns: 100 })
    at(0, 0)
    at(1000, 100e6)
    at(2000, 200e6)
    at(2000, 5e6, { file: 'tokenizer.json', total: 10e6 })
    at(2200, 250e6)
    const [data, tokenizer, ...more] = screen(written)
    expect(data).toMatch(/^model\.onnx_data +#+-+ 25% {2}250 MB\/1\.0 GB {2}11\d MB\/s {2}\d s$/)
    expect(tokenizer).toMatch(/^tokenizer\.json +#+-+ 50% {2}5\.0 MB\/10\.0 MB/)
    expect(more).toEqual([])
  })

  it('a finished file stays as a line, and at the end nothing else', () => {
    const { written, at } = start({ isTTY: true })
    at(0, 0)
    at(500, 0, { file: 'b' })
    at(1000, 1e9, { done: true })
    shown.line('spout: warning: something')
    expect(screen(written).slice(0, 2)).toEqual([
      'fetched model.onnx_data (1.0 GB)',
      'spout: warning: something',
    ])
    shown.close()
    expect(screen(written)).toEqual(['fetched model.onnx_data (1.0 GB)', 'spout: warning: something'])
  })

  it('no line is wider than the terminal, whatever the numbers and names', () => {
    const progress = fc.record({
      file: fc.string({ unit: 'binary', minLength: 1 }),
      received: fc.nat(),
      total: fc.nat(),
    })
    fc.assert(
      fc.property(
        fc.integer({ min: 21, max: 200 }),
        fc.array(progress, { minLength: 1 }),
        (columns, list) => {
          const { written, at } = start({ isTTY: true, columns })
          list.forEach(({ file, received, total }, i) => void at(i * 150, received, { file, total }))
          shown.close()
          for (const line of written.join('').split(/\n|\x1b\[\d*[AJ]|\r/))
            expect([...line].length).toBeLessThan(columns)
        },
      ),
    )
  })

  it('is drawn ten times a second at most', () => {
    const { written, at } = start({ isTTY: true })
    for (let i = 0; i < 10_000; i++) at(i / 10, i)
    expect(written.length).toBeLessThanOrEqual(11)
  })
})

describe.each([
  ['in a pipe', {}, {}],
  ['on a dumb terminal', { isTTY: true }, { TERM: 'dumb' }],
])('%s', (_, stream, env) => {
  it('there are plain lines: at the start, every ten seconds, at the end', () => {
    const { written, at } = start(stream, env)
    for (let seconds = 0; seconds <= 25; seconds++) at(seconds * 1000, seconds * 10e6)
    at(26_000, 1e9, { done: true })
    expect(written).toEqual([
      'fetching model.onnx_data (1.0 GB)\n',
      'fetching model.onnx_data: 10%  100 MB/1.0 GB  10.0 MB/s  1 min 30 s\n',
      'fetching model.onnx_data: 20%  200 MB/1.0 GB  10.0 MB/s  1 min 20 s\n',
      'fetched model.onnx_data (1.0 GB) in 26 s\n',
    ])
  })
})
