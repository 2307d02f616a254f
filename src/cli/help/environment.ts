import { SETTINGS, variableOf } from '../settings.ts'
import type { Row } from './columns.ts'

/** The variables that are read: in `spout help environment` and the manual page. */
export function environmentRows(): Row[] {
  const settings = [...SETTINGS.keys()].flatMap((name): Row[] => {
    const variable = variableOf(name)
    return variable === undefined ? [] : [[variable, `default of --${name}`]]
  })
  return [...settings, ...OTHERS]
}

const OTHERS: readonly Row[] = [
  ['SPOUT_CACHE_DIR', "spout's own files (default: $XDG_CACHE_HOME/spout, else ~/.cache/spout)"],
  ['SPOUT_API_KEY', 'the key that clients of spout serve need; --key-file wins'],
  ['SPOUT_ENGINE_KEY', 'the key that the server of --engine needs; --engine-key-file wins'],
  ['SPOUT_DEBUG', '1: errors with their stack'],
  ['SPOUT_ISA', "most that kernels may use: avx512-vnni, avx-vnni, avx2; none: ONNX Runtime's"],
  ['XDG_RUNTIME_DIR', 'where workers of --keep-alive listen (default: workers below SPOUT_CACHE_DIR)'],
  ['XDG_CONFIG_HOME', 'where spout/config.json is (default: ~/.config)'],
  ['HF_HUB_CACHE, HF_HOME', "where the hub's models are, as for other programs"],
  ['HF_ENDPOINT, HF_TOKEN', 'the hub and your token, as for other programs'],
  ['HF_HUB_OFFLINE', '1: never use the network'],
  [
    'SOURCE_DATE_EPOCH',
    'the time that a chat template may tell, in seconds since 1970; so that a seed gives the same text tomorrow',
  ],
  ['NO_COLOR, TERM=dumb', 'no colour on stderr; with TERM=dumb no spinner either'],
]
