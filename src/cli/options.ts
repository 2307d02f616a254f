import type { Notation } from '../grammar/structure.ts'
import type { DtypeName } from '../model/dtype.ts'
import type { RuntimeChoice } from '../onnx-runtime/open-runtime.ts'
import type { DeviceChoice } from '../open/device-choice.ts'
import type { ThinkMode } from './flags.ts'
import type { PromptCacheMode } from './prompt-cache-mode.ts'

/** What the flags give, as commander names it. */
export interface Options {
  readonly model?: string
  readonly dtype?: DtypeName
  readonly device?: DeviceChoice
  readonly threads?: number
  readonly ctxSize?: number
  readonly cacheDir?: string
  readonly offline?: boolean
  /** Of each flag the addresses in it; as a setting the addresses. */
  readonly engine?: readonly (string | readonly string[])[]
  readonly engineKeyFile?: string
  /** Milliseconds; 0 asks no worker either. */
  readonly keepAlive?: number
  readonly system?: string
  readonly systemFile?: string
  readonly file?: readonly string[]
  readonly raw?: boolean
  readonly chatTemplate?: string
  readonly templateArg?: readonly (readonly [string, unknown])[]
  readonly allowSpecial?: boolean
  readonly stdin: boolean
  readonly dryRun?: boolean
  readonly maxTokens?: number
  readonly stop?: readonly string[]
  readonly ignoreEos?: boolean
  readonly timeout?: number
  readonly schema?: string
  readonly items?: string
  readonly minItems?: number
  readonly maxItems?: number
  readonly format?: 'json' | 'object' | 'array'
  readonly choice?: readonly string[]
  readonly regex?: string
  readonly grammar?: string
  readonly grammarFormat?: Notation
  readonly schemaPrompt?: 'auto' | 'types' | 'none'
  readonly jsonStyle?: 'auto' | 'compact' | 'pretty'
  readonly openObjects?: boolean
  readonly schemaLenient?: boolean
  readonly onLimit?: 'fail' | 'close'
  readonly jump?: 'auto' | 'off'
  readonly explain?: boolean
  readonly check?: string
  readonly choices?: string
  /** False after `--no-choice-prior`. */
  readonly choicePrior?: boolean
  readonly else?: string
  readonly calibrate?: string
  readonly temperature?: number
  readonly topK?: number
  readonly topP?: number
  readonly minP?: number
  readonly typicalP?: number
  readonly repetitionPenalty?: number
  readonly repeatLastN?: number
  readonly presencePenalty?: number
  readonly frequencyPenalty?: number
  readonly noRepeatNgramSize?: number
  readonly logitBias?: readonly (readonly [number, number])[]
  readonly minNewTokens?: number
  readonly seed?: bigint
  readonly output?: string
  readonly receipt?: string
  readonly json?: boolean
  readonly jsonl?: boolean
  readonly logprobs?: number | true
  readonly samples?: number
  readonly drafts?: 'auto' | 'off' | number
  readonly draftModel?: string
  readonly expect?: string
  readonly think?: ThinkMode
  readonly newline: boolean
  readonly stats?: boolean
  readonly color?: string
  readonly quiet?: boolean
  readonly verbose?: boolean
  readonly trace?: boolean
  readonly runtime?: RuntimeChoice
  /** False after `--no-prepare`. */
  readonly prepare?: boolean
  readonly precise?: boolean
  /** False after `--no-prompt-cache`. */
  readonly promptCache?: PromptCacheMode | false
  readonly keepPrompt?: boolean
  /** Of a conversation. */
  readonly continue?: boolean
  readonly commands?: boolean
  /** False after `--no-keep`. */
  readonly keep?: boolean
  readonly bench?: boolean
  readonly benchArms?: readonly string[]
  readonly benchArm?: readonly (readonly [name: string, flags: string])[]
  readonly benchProcess?: boolean
  readonly benchPairs?: number
  readonly benchTokens?: number
  readonly benchSave?: string
  readonly benchAgainst?: string
  readonly benchPlot?: string
  /** A share: 0.03 of 3 %. */
  readonly failIfSlower?: number
}
