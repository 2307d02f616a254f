/** The domains of operators that a model says it has. */
import { MODEL, OPSET } from './fields.ts'
import { bytesField, bytesSource, fieldsOf, textField, varintField } from './wire.ts'

/** The domain of our own operators. */
export const OWN_DOMAIN = 'spout'

/** The fields of a model with version 1 of `domain` among them. */
export function withDomain(fields: readonly Uint8Array[], domain: string): readonly Uint8Array[] {
  const hasIt = fields.some((bytes) => {
    const source = bytesSource(bytes)
    const [field] = fieldsOf(source)
    return field?.number === MODEL.opsetImport && textField(source, field, OPSET.domain) === domain
  })
  if (hasIt) return fields
  const version = [bytesField(OPSET.domain, domain), varintField(OPSET.version, 1)]
  return [...fields, bytesField(MODEL.opsetImport, version)]
}
