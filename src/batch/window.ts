/** So many tasks at once, and none that is further ahead of the oldest than memory should hold. */

interface WindowLimits {
  /** Tasks under way at once. */
  readonly parallel: number
  /** From the oldest unfinished task to the youngest. */
  readonly lag: number
}

interface WindowWork<Task> {
  /** Resolves when the task is done and there is room for more. */
  run(task: Task, place: number): Promise<void>
  /** True while no further task may begin beside those under way. */
  isFull(): boolean
}

/** Tasks with their places, which grow. */
type PlacedTasks<Task> = AsyncIterable<readonly [place: number, task: Task]>

/**
 * Runs every task, each as soon as the limits let it. Of the source only what may begin soon is asked for.
 * @throws what a task or the source throws, as soon as the others that run have ended; a source that is waited for is not.
 */
export async function runWindow<Task>(
  source: PlacedTasks<Task>,
  limits: WindowLimits,
  work: WindowWork<Task>,
): Promise<void> {
  await new TaskWindow(limits, work).run(source)
}

class TaskWindow<Task> {
  readonly #limits: WindowLimits
  readonly #work: WindowWork<Task>
  /** Places, in the order in which their tasks began. */
  readonly #running = new Set<number>()
  #failure: { readonly cause: unknown } | undefined
  #wake: (() => void) | undefined

  constructor(limits: WindowLimits, work: WindowWork<Task>) {
    this.#limits = limits
    this.#work = work
  }

  async run(source: PlacedTasks<Task>): Promise<void> {
    const tasks = source[Symbol.asyncIterator]()
    for (;;) {
      const next = await this.#next(tasks)
      if (next === undefined) break
      await this.#until(() => !this.#isFull(next[0]))
      if (this.#failure !== undefined) break
      this.#start(...next)
    }
    tasks.return?.().catch(() => undefined)
    while (this.#running.size > 0) await this.#change()
    if (this.#failure !== undefined) throw this.#failure.cause
  }

  /** `undefined` after the last, and after a failure. */
  async #next(tasks: AsyncIterator<readonly [number, Task]>): Promise<readonly [number, Task] | undefined> {
    let next: IteratorResult<readonly [number, Task]> | undefined
    tasks.next().then((result) => {
      next = result
      this.#wake?.()
    }, this.#fail)
    await this.#until(() => next !== undefined)
    return this.#failure !== undefined || next!.done ? undefined : next!.value
  }

  #start(place: number, task: Task): void {
    this.#running.add(place)
    const end = (): void => {
      this.#running.delete(place)
      this.#wake?.()
    }
    this.#work.run(task, place).catch(this.#fail).then(end)
  }

  #isFull(place: number): boolean {
    const { parallel, lag } = this.#limits
    const [oldest = place] = this.#running
    const { size } = this.#running
    return size >= parallel || place - oldest >= lag || (size > 0 && this.#work.isFull())
  }

  readonly #fail = (cause: unknown): void => {
    this.#failure ??= { cause }
    this.#wake?.()
  }

  /** Resolves when it is so, or something has failed. */
  async #until(isSo: () => boolean): Promise<void> {
    while (this.#failure === undefined && !isSo()) await this.#change()
  }

  /** One promise at a time, and each is settled: what is raced against a promise that lives on is kept by it. */
  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }
}
