/** ONNX Runtime through its C API: sessions on the processor, and on a graphics card. */
import { configureGlibcMalloc } from '../system/glibc-malloc.ts'
import { openOrt } from './c-api.ts'
import { CpuSession } from './cpu-session.ts'
import { GpuSession } from './gpu-session.ts'
import { createNativeSession, releaseNativeSession } from './native-session.ts'
import { NATIVE_KERNELS, type OwnKernels } from './own-kernels.ts'
import type { Runtime } from './runtime.ts'

/**
 * @param kernels how operators of ours run; tests have an interpreter for them.
 * @throws Error when the library cannot be opened here; `open-runtime.ts` then takes the other binding.
 */
export function openCApiRuntime(kernels: OwnKernels = NATIVE_KERNELS): Runtime {
  configureGlibcMalloc()
  const opening = openOrt()
  // A failure is met by whoever creates a session.
  opening.catch(() => undefined)
  return {
    name: 'c-api',
    get noOwnKernels() {
      return kernels.whyNone()
    },
    version: async () => (await opening).version,
    async createSession(graph, options) {
      const ort = await opening
      const native = await createNativeSession(ort, graph, options, kernels)
      try {
        const session = new CpuSession(ort, native)
        return options.device === undefined ? session : new GpuSession(ort, session, options.device)
      } catch (error) {
        await releaseNativeSession(ort, native)
        throw error
      }
    },
  }
}
