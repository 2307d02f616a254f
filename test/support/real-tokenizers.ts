import { existsSync, readdirSync } from 'node:fs'
import { describe, test } from 'vitest'
import { sharedTexts } from '../../fixtures/make/text-cases.mjs'
import { compareWithRust, generatedList, type TextList } from './compare-with-rust.ts'

const DATA = '../shared/data'
const FOLDER = `${DATA}/tokenizers`

/** Compares every second of the real tokenizers: those of even places in the list, or of odd ones. */
export function compareHalf(rest: 0 | 1): void {
  if (!existsSync(FOLDER)) {
    test.skip('real tokenizers (needs ../shared/data)')
    return
  }
  const lists: TextList[] = [generatedList(), { name: 'shared', texts: sharedTexts(DATA) }]
  const families = readdirSync(FOLDER).map((family, turn) => ({ family, turn }))
  describe.each(families.filter(({ turn }) => turn % 2 === rest))('$family', ({ family, turn }) =>
    compareWithRust(`${FOLDER}/${family}`, lists, turn),
  )
}
