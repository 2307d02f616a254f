/** ONNX Runtime through its C API: sessions on the processor, and on a graphics card. */
import { kernelChoice } from '../../../kernels/isa.ts'
import { configureGlibcMalloc } from '../../../system/glibc-malloc.ts'
import { openOrt } from './c-api.ts'
import { CpuSession } from './cpu-session.ts'
import { GpuSession } from './gpu-session.ts'
import { createNativeSession, releaseNativeSession } from './native-session.ts'
import type { Runtime } from './runtime.ts'

/** @throws Error when the library cannot be opened here; `open-runtime.ts` then takes the other binding. */
export function openCApiRuntime(): Runtime {
  configureGlibcMalloc()
  const opening = openOrt()
  // A failure is met by whoever creates a session.
  opening.catch(() => undefined)
  return {
    name: 'c-api',
    get noOwnKernels() {
      const { isa, why } = kernelChoice()
      return isa === undefined ? why : undefined
    },
    version: async () => (await opening).version,
    async createSession(graph, options) {
      const ort = await opening
      const native = await createNativeSession(ort, graph, options)
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
