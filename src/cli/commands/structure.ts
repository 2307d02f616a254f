/** `--explain` and `--check FILE`: what a structure is, and whether a text satisfies it. No model is opened. */
import type { StructureRequest } from '../../engine/structure-request.ts'
import { SpoutError } from '../../errors.ts'
import { checkText } from '../../grammar/check-text.ts'
import { explainStructure } from '../../grammar/explain.ts'
import type { Context } from '../context.ts'
import { readText } from '../prompt-source.ts'

export async function explain({ of }: StructureRequest, { stdout }: Context): Promise<void> {
  await stdout.write(`${explainStructure(of).join('\n')}\n`)
}

/** @throws SpoutError `invalid` with the place where it does not fit, `not-found` */
export async function check({ of }: StructureRequest, file: string, { stdout }: Context): Promise<void> {
  const text = await readText(file)
  const bytes = Buffer.from(text)
  const { isWritten, isValid, at, expected } = checkText(of, bytes)
  const where = at === bytes.length ? 'the end' : `byte ${at} (${placeOf(bytes, at)})`
  const what = expected.length === 0 ? '' : `: ${expected.join(' or ')} is due`
  if (isWritten) return void (await stdout.write('it satisfies the structure\n'))
  if (isValid)
    return void (await stdout.write(
      `it satisfies the structure, though an answer would differ at ${where}${what}\n`,
    ))
  throw new SpoutError('invalid', `${file}: it does not satisfy the structure at ${where}${what}`)
}

function placeOf(bytes: Buffer, at: number): string {
  const before = bytes.subarray(0, at).toString().split('\n')
  return `line ${before.length}, column ${before.at(-1)!.length + 1}`
}
