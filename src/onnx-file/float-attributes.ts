import { ATTRIBUTE, NODE } from './fields.ts'
import type { GraphNode } from './graph.ts'
import { bytesSource, FIXED32, fieldsOf, textOf } from './wire.ts'

/** Every attribute of a node by its name, with its value where that is one number of fp32. */
export function floatsOf({ bytes }: GraphNode): Map<string, number | undefined> {
  const source = bytesSource(bytes)
  const found = new Map<string, number | undefined>()
  for (const field of fieldsOf(source)) {
    if (field.number !== NODE.attribute) continue
    let name = ''
    let value: number | undefined
    for (const part of fieldsOf(source, field.valueStart, field.end)) {
      if (part.number === ATTRIBUTE.name) name = textOf(source, part)
      else if (part.number === ATTRIBUTE.f && part.wireType === FIXED32) {
        value = new DataView(bytes.buffer, bytes.byteOffset + part.valueStart, 4).getFloat32(0, true)
      }
    }
    found.set(name, value)
  }
  return found
}
