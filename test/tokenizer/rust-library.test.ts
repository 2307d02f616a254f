import { readdirSync } from 'node:fs'
import { describe } from 'vitest'
import { compareWithRust, generatedList } from '../support/compare-with-rust.ts'

const FOLDER = 'fixtures/golden/tokenizers'

describe.each(readdirSync(FOLDER))('%s', (family) =>
  compareWithRust(`${FOLDER}/${family}`, [generatedList()]),
)
