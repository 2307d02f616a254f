import type { Isa } from '../isa.ts'
import type { DataCode, Lanes } from './lanes.ts'
import type { Ymm } from './ymm.ts'
import { YmmLanes } from './ymm-lanes.ts'
import type { Zmm } from './zmm.ts'
import { ZmmLanes } from './zmm-lanes.ts'

/** What code is written with, by the set that it names. */
interface VectorCode extends DataCode {
  readonly isa: Isa
  readonly zmm: Zmm
  readonly ymm: Ymm
}

export function makeLanes(code: VectorCode): Lanes {
  return code.isa === 'avx512-vnni' ? new ZmmLanes(code, code.zmm) : new YmmLanes(code, code.ymm)
}
