/** What ONNX Runtime says when it fails, in one line and without the C++ in it. */
import { SpoutError } from '../errors.ts'

const NO_MEMORY = /Failed to allocate memory for requested buffer of size (\d+)|bad_alloc|bad allocation/

/** As its thread pool and the C++ library say it. */
const NO_THREADS = /pthread_create|Resource temporarily unavailable|thread constructor failed/i

/** @param message the library's own words; they may hold names out of the graph */
export function ortError(message: string, cause?: unknown): SpoutError {
  const options = cause === undefined ? {} : { cause }
  const line = message.replace(SOURCE_PLACE, '').replace(/\s+/g, ' ').trim()
  if (/Too many open files/.test(line)) {
    return new SpoutError('os', 'system: EMFILE: too many open files, in ONNX Runtime', {
      ...options,
      hint: 'ulimit -a shows the limits',
    })
  }
  if (NO_THREADS.test(line)) {
    return new SpoutError('os', 'system: EAGAIN: no more threads to be had, in ONNX Runtime', {
      ...options,
      hint: 'ulimit -u shows the limit; --threads 1 needs fewer',
    })
  }
  const memory = NO_MEMORY.exec(line)
  if (memory === null) return new SpoutError('failed', `onnxruntime: ${line}`, options)
  const wanted = memory[1] === undefined ? '' : ` ${memory[1]} bytes`
  return new SpoutError('os', `memory: ONNX Runtime could not get${wanted || ' enough'}`, {
    ...options,
    hint: 'a smaller --dtype or --ctx-size needs less',
  })
}

/** `/path/file.cc:12 type Class<T>::method(types) [with T = float]`, which stands before the message itself. */
const SOURCE_PLACE =
  /\/\S+\.(?:cc|h|cpp):\d+ [^()]*\((?:[^()]|\([^()]*\))*\)(?: const)?(?: \[with [^\]]*\])?\s/g
