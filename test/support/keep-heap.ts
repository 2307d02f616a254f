/**
 * Of processes in which hundreds of sessions are made, and whose memory no test looks at: what is freed stays in the heap.
 * Giving it back after each session costs more than making most of them. What the product does is seen by
 * test/onnx-runtime/c-api.test.ts, test/engine/soak.test.ts and the tests of the built program.
 */
// The settings of koffi come before its first library.
import '../../src/onnx-runtime/c-api.ts'
import { configureGlibcMalloc } from '../../src/system/glibc-malloc.ts'

const malloc = configureGlibcMalloc()
malloc.keepFreed()
malloc.giveBack = () => undefined
