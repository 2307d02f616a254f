/** Pages of memory: what is mapped begins on one. */
export const PAGE = 4096

/** The first page that begins at `offset` or after it. */
export function pageFrom(offset: number): number {
  return Math.ceil(offset / PAGE) * PAGE
}
