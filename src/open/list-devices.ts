/** The graphics cards of this machine, and whether a model can run there. */

import { SpoutError } from '../errors.ts'
import { FLOAT, GRAPH, MODEL, NODE, OPSET } from '../onnx-file/fields.ts'
import { makeInput, makeOutput } from '../onnx-file/make-parts.ts'
import { bytesField, concat, varintField } from '../onnx-file/wire.ts'
import { openRuntime } from '../onnx-runtime/open-runtime.ts'
import { type GraphicsDevice, vulkanDevices } from '../system/vulkan-devices.ts'

export interface ListedDevices {
  /** Empty where there is none, and where the system does not say. */
  readonly devices: readonly GraphicsDevice[]
  /** What ONNX Runtime reaches cards through here. */
  readonly through: string
  /** Why no model can run on a card; `undefined` where one can. */
  readonly why: string | undefined
}

const THROUGH: Readonly<Record<string, string>> = { darwin: 'Metal', win32: 'Direct3D 12' }

/** Opens the card, so it takes some 0.1 s. */
export async function listDevices(): Promise<ListedDevices> {
  const through = THROUGH[process.platform] ?? 'Vulkan'
  const found = vulkanDevices()
  if ('why' in found && through === 'Vulkan') return { devices: [], through, why: found.why }
  return { devices: 'why' in found ? [] : found.devices, through, why: await whyNot() }
}

async function whyNot(): Promise<string | undefined> {
  try {
    const runtime = await openRuntime('c-api')
    const device = { kind: 'gpu', isRecorded: false } as const
    const source = { bytes: smallestGraph(), weightsFolder: '.' }
    const session = await runtime.createSession(source, { threads: 1, spinning: false, device })
    await session.dispose()
    return undefined
  } catch (error) {
    if (error instanceof SpoutError) return error.message.replace(/^gpu: /, '')
    throw error
  }
}

/** y = x + x */
function smallestGraph(): Uint8Array {
  const x = makeInput('x', { type: FLOAT, dims: [1] })
  const y = makeOutput('y', { type: FLOAT, dims: [1] })
  const node = [
    bytesField(NODE.input, 'x'),
    bytesField(NODE.input, 'x'),
    bytesField(NODE.output, 'y'),
    bytesField(NODE.opType, 'Add'),
  ]
  return concat([
    varintField(MODEL.irVersion, 8),
    bytesField(MODEL.opsetImport, [varintField(OPSET.version, 17)]),
    bytesField(MODEL.graph, [bytesField(GRAPH.node, node), bytesField(GRAPH.name, 'x'), x, y]),
  ])
}
