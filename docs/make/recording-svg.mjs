/**
 * A recording as one SVG that plays by itself: the frames stand below one another like a film, which moves behind a
 * window of the size of one. Lines that are equal are drawn once. Who wants no motion sees the last frame.
 */
const LINE = 18
const CHAR = 8.4
const MARGIN = 14
const STYLES = { dim: 'fill-opacity=".6"', bold: 'font-weight="bold"', cyan: 'fill="#56b6c2"' }

/**
 * @param {{ at: number, lines: { text: string, style: string }[][] }[]} frames `at` in milliseconds
 * @param {{ columns: number, height: number, holdMs: number }} options
 */
export function recordingSvg(frames, { columns, height, holdMs }) {
  const width = Math.ceil(columns * CHAR + 2 * MARGIN)
  const tall = height * LINE + 2 * MARGIN
  const total = frames.at(-1).at + holdMs
  const lines = new Map()
  const idOf = (line) => {
    const drawn = drawLine(line)
    if (!lines.has(drawn)) lines.set(drawn, `l${lines.size}`)
    return lines.get(drawn)
  }
  const film = frames.map((frame, i) => {
    const uses = frame.lines.flatMap((line, row) => {
      if (line.length === 0) return []
      return [`<use href="#${idOf(line)}" y="${row * LINE}"/>`]
    })
    return `<g transform="translate(${MARGIN} ${i * tall + MARGIN + 13})">${uses.join('')}</g>`
  })
  const stops = frames.map(({ at }, i) => `${percent(at, total)}%{transform:translateY(${-i * tall}px)}`)
  const last = `translateY(${-(frames.length - 1) * tall}px)`
  return `<svg xmlns="http://www.w3.org/2000/svg" xml:space="preserve" viewBox="0 0 ${width} ${tall}" width="${width}" height="${tall}" role="img" aria-label="spout in a terminal">
<style>
text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;fill:#d7dae0;white-space:pre}
#film{animation:play ${(total / 1000).toFixed(1)}s step-end infinite}
@keyframes play{${stops.join('')}}
@media (prefers-reduced-motion:reduce){#film{animation:none;transform:${last}}}
</style>
<defs>${[...lines].map(([drawn, id]) => `<text id="${id}">${drawn}</text>`).join('')}</defs>
<rect width="100%" height="100%" rx="8" fill="#1e2127"/>
<g id="film">${film.join('\n')}</g>
</svg>
`
}

function drawLine(runs) {
  let column = 0
  return runs
    .map(({ text, style }) => {
      const x = (column * CHAR).toFixed(1)
      column += text.length
      return `<tspan x="${x}" textLength="${(text.length * CHAR).toFixed(1)}" ${STYLES[style] ?? ''}>${escaped(text)}</tspan>`
    })
    .join('')
}

function percent(at, total) {
  return ((100 * at) / total).toFixed(2)
}

function escaped(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
