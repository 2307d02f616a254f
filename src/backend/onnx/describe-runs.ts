/** Says of a session what runs, and why nothing faster does. */
import { kernelChoice } from '../../kernels/isa.ts'
import type { OwnOperators } from '../../kernels/operators.ts'
import type { Runtime } from '../../onnx-runtime/runtime.ts'
import type { KernelUse, RefusedWay, Runs } from '../runs.ts'
import type { PreparedModel } from './prepared/prepared-model.ts'
import type { Refusal, Traits } from './variants.ts'

interface RunsInput {
  readonly runtime: Runtime
  /** Of ours, in the graph that runs. */
  readonly operators: OwnOperators | undefined
  readonly traits: Traits
  readonly refused: readonly Refusal[]
  readonly options: { readonly threads: number; readonly precise?: boolean | undefined }
  /** What was found of it, be it a note that it was refused. */
  readonly prepared: PreparedModel | undefined
}

export function describeRuns(input: RunsInput): Runs {
  const { runtime, options, traits, refused, prepared } = input
  const note = prepared?.manifest.refused
  return {
    runtime: runtime.name,
    threads: options.threads,
    device: traits.device,
    kernels: kernelUse(input),
    prepared: traits.graph === 'prepared',
    refused: [...(note === undefined ? [] : [{ way: 'prepared', why: note }]), ...refused.map(refusedWay)],
  }
}

function kernelUse({ runtime, operators, options, refused }: RunsInput): KernelUse {
  const { matmuls = [], attentions = [] } = operators ?? {}
  const own = { matmul: matmuls.length > 0, attention: attentions.length > 0 }
  const use = {
    matmul: own.matmul ? 'own' : 'onnxruntime',
    attention: own.attention ? 'own' : 'onnxruntime',
    ...(own.matmul || own.attention ? isaOf() : {}),
  } as const
  if (own.matmul && own.attention) return use
  const failed = refused.find(({ traits }) => traits.graph !== 'prepared' && traits.kernels === 'own')
  const known = options.precise ? PRECISE : (runtime.noOwnKernels ?? failed?.why)
  return { ...use, why: known ?? otherKinds(own) }
}

function isaOf(): { isa?: string } {
  const { isa } = kernelChoice()
  return isa === undefined ? {} : { isa }
}

const PRECISE = 'the model runs as exactly as its file says'

function otherKinds(own: { readonly matmul: boolean; readonly attention: boolean }): string {
  const kinds = [...(own.matmul ? [] : ['matmul']), ...(own.attention ? [] : ['attention'])]
  return `no kernel of spout's computes ${kinds.join(' or ')} of this kind`
}

function refusedWay({ traits, why }: Refusal): RefusedWay {
  const { graph, kernels, head } = traits
  if (graph === 'prepared') return { way: graph, why }
  const numbers = graph === 'fp32' ? ', fp16 as fp32' : ''
  return { way: `${kernels === 'own' ? 'own' : "ONNX Runtime's"} kernels, ${head}${numbers}`, why }
}
