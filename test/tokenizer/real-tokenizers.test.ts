import { existsSync, readdirSync } from 'node:fs'
import { describe, test } from 'vitest'
import { generatedTexts, sharedTexts } from '../../fixtures/make/text-cases.mjs'
import { compareWithRust, type TextList } from '../support/compare-with-rust.ts'

const DATA = '../shared/data'
const FOLDER = `${DATA}/tokenizers`
const here = existsSync(FOLDER)

test.skipIf(here)('skipped: the real tokenizers of ../shared/data are not here', () => {})

if (here) {
  const lists: TextList[] = [
    { name: 'generated', texts: generatedTexts() },
    { name: 'shared', texts: sharedTexts(DATA) },
  ]
  describe.each(readdirSync(FOLDER))('%s', (family) => compareWithRust(`${FOLDER}/${family}`, lists))
}
