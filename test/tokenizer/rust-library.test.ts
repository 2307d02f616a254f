import { readdirSync } from 'node:fs'
import { describe } from 'vitest'
import { compareWithRust, generatedList } from '../support/compare-with-rust.ts'

const FOLDER = 'fixtures/golden/tokenizers'

const families = readdirSync(FOLDER).map((family, turn) => ({ family, turn }))
describe.each(families)('$family', ({ family, turn }) =>
  compareWithRust(`${FOLDER}/${family}`, [generatedList()], turn),
)
