/** How a model is run, as plain data: for whoever tells why it is as fast as it is. */
export interface Runs {
  /** The binding to ONNX Runtime. */
  readonly runtime: string
  readonly threads: number
  /** Where the operators are computed; on the graphics card, `gpu-recorded` gives it the recorded commands of a step. */
  readonly device: 'cpu' | 'gpu' | 'gpu-recorded'
  readonly kernels: KernelUse
  /** The process that runs it, where that is not the one that asks. */
  readonly worker?: number | undefined
  /** The graph and the weights are those that were written ahead of time. */
  readonly prepared: boolean
  /** Ways to run it that would have been faster, and why they were not taken. */
  readonly refused: readonly RefusedWay[]
}

/** Whose code computes quantized matmuls, and attention. */
export interface KernelUse {
  readonly matmul: 'own' | 'onnxruntime'
  readonly attention: 'own' | 'onnxruntime'
  /** The instruction set of our own, where they run. */
  readonly isa?: string
  /** Why one of them is ONNX Runtime's, where one is. */
  readonly why?: string
}

export interface RefusedWay {
  readonly way: string
  readonly why: string
}
