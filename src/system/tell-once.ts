/** Tells each text the first time only: every turn of a chat, and every line of many that waits, may bring it again. */
export function tellOnce(tell: (text: string) => void): (text: string) => void {
  const told = new Set<string>()
  return (text) => {
    if (!told.has(text)) tell(text)
    told.add(text)
  }
}
