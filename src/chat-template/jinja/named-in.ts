/** The names that statements or expressions look up, wherever they do. */
export function namesIn(node: unknown, found = new Set<string>()): ReadonlySet<string> {
  if (Array.isArray(node)) for (const item of node) namesIn(item, found)
  else if (typeof node === 'object' && node !== null) {
    const { type, name } = node as { type?: unknown; name?: unknown }
    if (type === 'name' && typeof name === 'string') found.add(name)
    for (const child of Object.values(node)) namesIn(child, found)
  }
  return found
}
