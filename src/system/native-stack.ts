/**
 * The stack of native calls on another thread: koffi's own 128 kB is too small for ONNX Runtime's graph optimizers. It can be
 * set only before the first library is loaded, so whoever may be that first imports this file.
 */
import koffi from 'koffi'

koffi.config({ async_stack_size: 8 << 20 })
