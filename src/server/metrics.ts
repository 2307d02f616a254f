/** What the server has done, for Prometheus: text of version 0.0.4 of its format. Numbers only; nothing of a prompt. */

/** A sum, or a count of now, with labels or without. */
type Labels = Readonly<Record<string, string>>

export class Metrics {
  /** Requests by route and status. */
  readonly #requests = new Map<string, number>()
  readonly firstToken = new Histogram()
  readonly duration = new Histogram()
  /** Longest time between two pieces of one answer, by answer. */
  readonly longestGap = new Histogram()
  promptTokens = 0
  cachedTokens = 0
  completionTokens = 0
  /** Requests whose client went away, or stopped reading, before the end. */
  cancelled = 0

  countRequest(route: string, status: number): void {
    const labels = labelText({ route, status: String(status) })
    this.#requests.set(labels, (this.#requests.get(labels) ?? 0) + 1)
  }

  /** @param now what is true just now, by name: with its help */
  text(now: readonly Gauge[]): string {
    return [
      ...family('spout_requests_total', 'counter', 'Requests that were ended, by route and status.'),
      ...[...this.#requests].map(([labels, count]) => `spout_requests_total${labels} ${count}`),
      ...counter('spout_requests_cancelled_total', 'Requests whose client went away.', this.cancelled),
      ...counter('spout_prompt_tokens_total', 'Tokens of prompts.', this.promptTokens),
      ...counter('spout_prompt_tokens_cached_total', 'Those that were computed before.', this.cachedTokens),
      ...counter('spout_completion_tokens_total', 'Tokens of answers.', this.completionTokens),
      ...now.flatMap(({ name, help, kind = 'gauge', value }) => [
        ...family(name, kind, help),
        `${name} ${value}`,
      ]),
      ...this.firstToken.lines(
        'spout_time_to_first_token_seconds',
        'From a request to the first piece of its answer.',
      ),
      ...this.longestGap.lines('spout_longest_gap_seconds', 'Longest time between two pieces of an answer.'),
      ...this.duration.lines('spout_request_duration_seconds', 'From a request to the end of its answer.'),
      '',
    ].join('\n')
  }
}

export interface Gauge {
  readonly name: string
  readonly help: string
  readonly kind?: 'gauge' | 'counter'
  readonly value: number
}

/** Upper bounds, in seconds. */
const BOUNDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 60]

class Histogram {
  readonly #counts = new Array<number>(BOUNDS.length + 1).fill(0)
  #sum = 0

  add(ms: number): void {
    const seconds = ms / 1000
    const at = BOUNDS.findIndex((bound) => seconds <= bound)
    this.#counts[at < 0 ? BOUNDS.length : at]!++
    this.#sum += seconds
  }

  lines(name: string, help: string): string[] {
    let below = 0
    const buckets = this.#counts.map((count, i) => {
      below += count
      return `${name}_bucket{le="${BOUNDS[i] ?? '+Inf'}"} ${below}`
    })
    return [
      ...family(name, 'histogram', help),
      ...buckets,
      `${name}_sum ${this.#sum}`,
      `${name}_count ${below}`,
    ]
  }
}

function family(name: string, kind: string, help: string): string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${kind}`]
}

function counter(name: string, help: string, value: number): string[] {
  return [...family(name, 'counter', help), `${name} ${value}`]
}

function labelText(labels: Labels): string {
  const parts = Object.entries(labels).map(([name, value]) => `${name}="${value.replace(/[\\"\n]/g, '_')}"`)
  return `{${parts.join(',')}}`
}
