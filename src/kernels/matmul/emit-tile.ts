import type { Assembler } from '../x64/assembler.ts'
import type { MatmulShape } from './matmul-shape.ts'
import type { Tile } from './tile-code.ts'
import { emitYmmTile } from './ymm-tile.ts'
import { emitZmmTile } from './zmm-tile.ts'

/**
 * Writes the code of a tile, from its first instruction to its last; it runs on into what follows. rsi: the quantized rows, as
 * `ROW_BLOCK_BYTES` says, the rows of each block together; rdi: the first panel; rdx: where the results go, which stays. Takes rax,
 * rcx, rsi, rdi and r8 to r11.
 *
 * A block of a row is an int32 for each column, so exact, and is scaled once: x · w = Σ_blocks s_x s_w (Σ x w − zero · Σ x).
 */
export function emitTile(code: Assembler, tile: Tile, shape: MatmulShape): void {
  if (code.isa === 'avx512-vnni') emitZmmTile(code, tile, shape)
  else emitYmmTile(code, tile, shape)
}
