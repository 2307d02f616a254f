/**
 * A model must not drive the terminal. Control characters become visible escapes; tab and line feed stay, carriage
 * return is dropped. Character by character and without memory, so pieces may be cut anywhere.
 */
export function showControls(text: string): string {
  return text.replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, (char) =>
    char === '\r' ? '' : `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
}
