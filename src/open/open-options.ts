/** What an engine is opened with: which model, how it is run, and how the opening is connected to the outside. */

import type { FetchIo } from '../hub-cache/fetch-io.ts'
import type { DtypeChoice } from '../model/dtype.ts'
import type { ResolvedModel } from '../model/resolved-model.ts'
import type { RuntimeChoice } from '../onnx-runtime/open-runtime.ts'
import type { Trace } from '../trace.ts'
import type { DeviceChoice } from './device-choice.ts'

export interface OpenEngineOptions extends ModelChoice, OpenHow, OpenIo {}

/** Which files. */
export interface ModelChoice {
  /** `org/name[@revision]` or a folder; the embedded model when absent. */
  readonly model?: string | undefined
  readonly dtype?: DtypeChoice | undefined
  /** Default `auto`: the graphics card where a trial found it faster for this model. With `gpu` the card's dtypes come first. */
  readonly device?: DeviceChoice | undefined
  readonly cacheDir?: string | undefined
  readonly offline?: boolean | undefined
}

/** What is made of them. */
export interface OpenHow {
  readonly runtime?: RuntimeChoice | undefined
  /** Intra-op threads; when absent one per physical core, and no more than a container's quota of processors. */
  readonly threads?: number | undefined
  /** A smaller model of the same vocabulary, named as `model` is: its choices are guesses, and change no answer. */
  readonly draftModel?: string | undefined
  /** Matmuls are computed as exactly as the model's file says. */
  readonly precise?: boolean | undefined
  /** A shorter context than the model's. */
  readonly contextLength?: number | undefined
  /** Uses what was prepared in our own cache (`prepareModel`), and says when something could be. Default true. */
  readonly prepare?: boolean | undefined
  /** Texts that begin alike share what was computed of that, where it changes no bit. Default true. */
  readonly promptCache?: boolean | undefined
  /** Bytes of keys and values of texts that have ended, which may be kept for others. Default: half of what there may be. */
  readonly keptBytes?: number | undefined
  /** While other texts are written, a step takes no more of a prompt than fits this time, in ms. Default: what is quickest in all. */
  readonly stepMs?: number | undefined
  /**
   * Also what other processes have left of texts in our own cache on disk; what is new there is left by `handOverPrompt`.
   * Default false.
   */
  readonly promptFiles?: boolean | undefined
  /** A chat template of the user's, in place of the model's. */
  readonly chatTemplateFile?: string | undefined
  /** A chat, or a system message: what is missing for that is said. */
  readonly wantsChat?: boolean | undefined
}

/** Who is told, and who may end it. */
export interface OpenIo extends FetchIo {
  /** The files are all here. What follows may keep the thread busy, so that no handler of a signal runs. */
  readonly onResolved?: ((model: ResolvedModel) => void) | undefined
  readonly trace?: Trace | undefined
}
