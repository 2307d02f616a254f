import { SpoutError } from '../../../errors.ts'
import type { TensorInfo } from '../../../onnx-runtime/runtime.ts'
import { quote } from '../../../system/text-display.ts'

/** A graph that wants or gives something this program does not know: both are named, nothing is guessed. */
export function unsupported(found: string, expected: string): SpoutError {
  return new SpoutError('config', `model graph: found ${found}; expected ${expected}`, {
    hint: 'another file of the model may be of a known form: --dtype',
  })
}

/** A tensor as its declaration has it: `past_key_values.0.key float32 [batch, 2, past, 64]`. */
export function tensorText({ name, type, dims }: TensorInfo): string {
  return `${quote(name).slice(1, -1)} ${type} [${dims.map((size) => size || '?').join(', ')}]`
}
