/** What is different between a receipt and the one that the same request gives here and now. */
import type { Receipt, ReceiptFile } from './receipt.ts'

/** Something that was not the same. */
export interface Difference {
  /** `weights`, `tokenizer`, `template`, `config`, `spout`, `numerics`, `kernels`, `seed` … */
  readonly what: string
  readonly was: string
  readonly is: string
  /** False of what cannot change an id: the instruction set of own kernels, a path. */
  readonly matters: boolean
}

export function compareReceipts(then: Receipt, now: Receipt): Difference[] {
  return [
    ...filesDifferences(then.model.files, now.model.files),
    ...differ('template', then.template.sha256 ?? 'none', now.template.sha256 ?? 'none'),
    ...differ('dtype', then.model.dtype, now.model.dtype),
    ...differ('revision', then.model.revision ?? 'none', now.model.revision ?? 'none', false),
    ...differ('model', then.model.id, now.model.id, false),
    ...differ('spout', then.made_by.spout, now.made_by.spout),
    ...differ('numerics', then.made_by.numerics, now.made_by.numerics),
    ...differ('kernels', kernelsOf(then), kernelsOf(now)),
    ...differ('instruction set', then.made_by.isa ?? 'none', now.made_by.isa ?? 'none', !allOwn(then, now)),
    ...differ('binding', then.made_by.runtime, now.made_by.runtime, !allOwn(then, now)),
    ...differ('device', then.made_by.device, now.made_by.device),
    ...differ('prepared', then.made_by.prepared, now.made_by.prepared),
    ...differ('precise', then.made_by.precise, now.made_by.precise),
    ...differ('context', then.made_by.context, now.made_by.context),
    ...differ('sampling', JSON.stringify(then.sampling), JSON.stringify(now.sampling)),
    ...differ('prompt ids', shown(then.prompt), shown(now.prompt)),
  ]
}

/** Of files: changed, gone, or new. */
export function filesDifferences(then: readonly ReceiptFile[], now: readonly ReceiptFile[]): Difference[] {
  const names = [...new Set([...then, ...now].map(({ name }) => name))]
  return names.flatMap((name) => {
    const [before, after] = [then, now].map((files) => files.find((file) => file.name === name))
    return differ(
      `${(before ?? after)!.role} ${name}`,
      before?.sha256 ?? 'not there',
      after?.sha256 ?? 'not there',
    )
  })
}

function differ<T extends string | number | boolean>(
  what: string,
  then: T,
  now: T,
  matters = true,
): Difference[] {
  return then === now ? [] : [{ what, was: `${then}`, is: `${now}`, matters }]
}

function kernelsOf({ made_by: { matmul, attention } }: Receipt): string {
  return `matmul ${matmul}, attention ${attention}`
}

/** Where all that matters is computed by own kernels, nothing of the processor is left in a bit. */
function allOwn(...receipts: readonly Receipt[]): boolean {
  return receipts.every(({ made_by }) => made_by.matmul === 'own' && made_by.attention === 'own')
}

function shown({ tokens, sha256 }: Receipt['prompt']): string {
  return `${tokens} tokens, sha256 ${sha256.slice(0, 12)}`
}
