/** Names of files that others have chosen. */
const DEVICES = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i

/**
 * Whether a file name out of a repository may become a path below a folder, on every system: relative, no way up, no
 * backslash, drive or stream, no control character, no device name.
 */
export function isSafeFileName(name: string): boolean {
  if (name.length === 0 || name.length > 1024 || /[\x00-\x1f\x7f\\:*?"<>|]/.test(name)) return false
  return name.split('/').every((part) => {
    return part !== '' && part.length <= 255 && !/^\.+$|[. ]$/.test(part) && !DEVICES.test(part)
  })
}
