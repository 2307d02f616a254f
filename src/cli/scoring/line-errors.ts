/** What lines are at fault for, told as it happens; the others go on. */
import type { JudgedLine } from '../../batch/judge-lines.ts'
import { writeLine } from '../terminal/messages.ts'

export class LineErrors {
  count = 0

  tell({ record, error }: JudgedLine<unknown>, isSilent = false): void {
    this.count++
    if (!isSilent) writeLine(`line ${record.line}: ${error!.message}`)
  }

  /** `2 lines have errors` */
  get text(): string {
    return this.count === 1 ? '1 line has an error' : `${this.count} lines have errors`
  }
}
