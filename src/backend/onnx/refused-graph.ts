/** What ONNX Runtime says of a graph it cannot load, as a fault of the model's file. */
import { SpoutError } from '../../errors.ts'

/** @param name of the file, for the message */
export function refusedGraph(error: unknown, name: string): unknown {
  if (!(error instanceof SpoutError) || error.code !== 'failed') return error
  for (const { words, detail } of UNKNOWN_THINGS) {
    const found = words.exec(error.message)
    if (found === null) continue
    return new SpoutError('config', `model graph: ${name}: ${detail(found)}`, {
      hint: 'the file wants another ONNX Runtime, or a newer one (`npm ls onnxruntime-node` shows this one)',
      cause: error,
    })
  }
  const told = error.message.replace(/^onnxruntime: /, '').slice(0, 400)
  return new SpoutError('config', `model graph: ${name}: ${told}`, {
    hint: 'download the model again, or take another file of it: --dtype',
    cause: error,
  })
}

interface UnknownThing {
  readonly words: RegExp
  readonly detail: (found: RegExpExecArray) => string
}

const UNKNOWN_THINGS: readonly UnknownThing[] = [
  {
    words: /(\S+?)\(-?\d+\) is not a registered function\/op/,
    detail: ([, operator]) => `ONNX Runtime has no operator ${operator}`,
  },
  {
    words: /No Op registered for (\S+) with domain_version of (\d+)/,
    detail: ([, operator, opset]) => `ONNX Runtime has no operator ${operator} in opset ${opset}`,
  },
  {
    words: /Opset (\d+) is under development.*is till opset (\d+)/,
    detail: ([, wanted, known]) => `opset ${wanted}; ONNX Runtime knows up to ${known}`,
  },
  {
    words: /Unsupported model IR version: (\d+), max supported IR version: (\d+)/,
    detail: ([, wanted, known]) => `ONNX format ${wanted}; ONNX Runtime knows up to ${known}`,
  },
]
