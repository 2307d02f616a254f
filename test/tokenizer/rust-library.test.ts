import { readdirSync } from 'node:fs'
import { describe } from 'vitest'
import { generatedTexts } from '../../fixtures/make/text-cases.mjs'
import { compareWithRust } from '../support/compare-with-rust.ts'

const FOLDER = 'fixtures/golden/tokenizers'
const lists = [{ name: 'generated', texts: generatedTexts() }] as const

describe.each(readdirSync(FOLDER))('%s', (family) => compareWithRust(`${FOLDER}/${family}`, lists))
