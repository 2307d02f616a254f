import { join } from 'node:path'
import { PACKAGE_ROOT } from '../system/package-root.ts'

/** The model that comes with the program, and its name. */
export const EMBEDDED_MODEL = {
  name: 'spout-tiny',
  folder: join(PACKAGE_ROOT, 'fixtures/models/spout-tiny'),
}
