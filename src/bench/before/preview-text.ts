import { type BeforeArm, withEachToken } from './before-arm.ts'

/** Characters of the text shown while it grows. */
const PREVIEW = 80

export const previewText: BeforeArm = {
  name: 'preview-text',
  standsFor: `the whole text joined again at every token, and its last ${PREVIEW} characters copied for a preview`,
  async open() {
    const shown = { preview: '' }
    return {
      alter(parts) {
        const pieces: string[] = []
        const show = (_: number, text: string): void => {
          pieces.push(text)
          shown.preview = lastCharacters(pieces.join(''))
        }
        return { ...parts, sink: withEachToken(parts.sink, show) }
      },
    }
  },
}

/** By characters rather than by half of one, which is what makes it a copy. */
function lastCharacters(text: string): string {
  return Array.from(text).slice(-PREVIEW).join('')
}
