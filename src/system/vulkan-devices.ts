/**
 * The graphics cards that Vulkan knows here, asked of its loader (libvulkan) through its C API. ONNX Runtime's provider
 * reaches them the same way, but says neither which there are nor why one cannot be used. Linux.
 */
import koffi from 'koffi'
import './native-stack.ts'

export interface GraphicsDevice {
  readonly name: string
  readonly kind: 'discrete' | 'integrated' | 'virtual' | 'software' | 'other'
  /** Name and version, as the driver says them. */
  readonly driver: string
  /** Bytes of the memory that is the card's own. */
  readonly memory: number
  /** Computes in half precision (WebGPU's `shader-f16`). */
  readonly hasHalf: boolean
}

export type FoundDevices =
  | { readonly devices: readonly GraphicsDevice[] }
  /** Why there is none. */
  | { readonly why: string }

const KINDS = ['other', 'integrated', 'discrete', 'virtual', 'software'] as const

/** VkStructureType. */
const TYPE = {
  applicationInfo: 0,
  instanceInfo: 1,
  features2: 1000059000,
  properties2: 1000059001,
  half: 1000082000,
  storage16: 1000083000,
  driver: 1000196000,
} as const
/** Vulkan 1.1, the first with the questions below. */
const API_VERSION = (1 << 22) | (1 << 12)
const DEVICE_LOCAL = 1

/** Sizes and offsets in bytes of the structures of vulkan_core.h, with pointers of 64 bits. */
const SIZE = { instanceInfo: 64, applicationInfo: 48, features2: 240, properties2: 840, memory: 520 } as const
const DRIVER = { size: 536, name: 20, info: 276, length: 256 } as const
const PROPERTIES = { at: 16, kind: 16, name: 20, nameLength: 256 } as const
const HEAPS = { count: 260, first: 264, size: 16 } as const

/** Takes some 10 to 50 ms: every driver is loaded. */
export function vulkanDevices(): FoundDevices {
  if (process.platform !== 'linux') return { why: 'this system has no Vulkan' }
  let vulkan: ReturnType<typeof openVulkan>
  try {
    vulkan = openVulkan()
  } catch {
    return { why: "there is no Vulkan loader (Debian's package libvulkan1)" }
  }
  const instance = createInstance(vulkan)
  if (instance === undefined) return { why: 'Vulkan has no driver for a card of this machine' }
  try {
    const devices = physicalDevices(vulkan, instance).map((handle) => describe(vulkan, handle))
    return devices.length > 0 ? { devices } : { why: 'Vulkan finds no card' }
  } finally {
    vulkan.destroyInstance(instance, null)
  }
}

function openVulkan() {
  const library = koffi.load('libvulkan.so.1')
  return {
    /** Held: koffi closes a library whose handle is collected. */
    library,
    createInstance: library.func('int vkCreateInstance(void*, void*, void*)'),
    destroyInstance: library.func('void vkDestroyInstance(void*, void*)'),
    enumerate: library.func('int vkEnumeratePhysicalDevices(void*, void*, void*)'),
    features: library.func('void vkGetPhysicalDeviceFeatures2(void*, void*)'),
    properties: library.func('void vkGetPhysicalDeviceProperties2(void*, void*)'),
    memory: library.func('void vkGetPhysicalDeviceMemoryProperties(void*, void*)'),
  }
}

type Vulkan = ReturnType<typeof openVulkan>

function createInstance(vulkan: Vulkan): bigint | undefined {
  const application = structure(SIZE.applicationInfo, TYPE.applicationInfo)
  application.writeUInt32LE(API_VERSION, 44)
  const info = structure(SIZE.instanceInfo, TYPE.instanceInfo)
  info.writeBigUInt64LE(addressOf(application), 24)
  const handle = Buffer.alloc(8)
  const status = vulkan.createInstance(info, null, handle)
  return status === 0 ? handle.readBigUInt64LE() : undefined
}

function physicalDevices(vulkan: Vulkan, instance: bigint): bigint[] {
  const count = Buffer.alloc(4)
  if (vulkan.enumerate(instance, count, null) !== 0) return []
  const handles = Buffer.alloc(8 * count.readUInt32LE())
  if (handles.length === 0 || vulkan.enumerate(instance, count, handles) !== 0) return []
  return Array.from({ length: count.readUInt32LE() }, (_, i) => handles.readBigUInt64LE(8 * i))
}

function describe(vulkan: Vulkan, device: bigint): GraphicsDevice {
  const driver = structure(DRIVER.size, TYPE.driver)
  const properties = structure(SIZE.properties2, TYPE.properties2, driver)
  vulkan.properties(device, properties)
  const kind = properties.readUInt32LE(PROPERTIES.at + PROPERTIES.kind)
  const name = textAt(properties, PROPERTIES.at + PROPERTIES.name, PROPERTIES.nameLength)
  const about = [DRIVER.name, DRIVER.info].map((at) => textAt(driver, at, DRIVER.length))
  return {
    name,
    kind: KINDS[kind] ?? 'other',
    driver: about.filter((text) => text !== '').join(' '),
    memory: ownMemory(vulkan, device),
    hasHalf: hasHalf(vulkan, device),
  }
}

function ownMemory(vulkan: Vulkan, device: bigint): number {
  const memory = Buffer.alloc(SIZE.memory)
  vulkan.memory(device, memory)
  const heaps = Array.from(
    { length: memory.readUInt32LE(HEAPS.count) },
    (_, i) => HEAPS.first + HEAPS.size * i,
  )
  const own = heaps.filter((at) => (memory.readUInt32LE(at + 8) & DEVICE_LOCAL) !== 0)
  return own.reduce((sum, at) => sum + Number(memory.readBigUInt64LE(at)), 0)
}

/** Arithmetic of 16 bits, and storage of it. */
function hasHalf(vulkan: Vulkan, device: bigint): boolean {
  const storage = structure(32, TYPE.storage16)
  const half = structure(24, TYPE.half, storage)
  vulkan.features(device, structure(SIZE.features2, TYPE.features2, half))
  return half.readUInt32LE(16) === 1 && storage.readUInt32LE(16) === 1
}

/** A structure that names its type, and the one that comes after it. */
function structure(size: number, type: number, next?: Buffer): Buffer {
  const memory = Buffer.alloc(size)
  memory.writeUInt32LE(type)
  if (next !== undefined) memory.writeBigUInt64LE(addressOf(next), 8)
  return memory
}

const addressOf = (memory: Buffer): bigint => koffi.address(memory)

function textAt(memory: Buffer, start: number, length: number): string {
  const text = memory.subarray(start, start + length)
  return text.subarray(0, text.indexOf(0)).toString('utf8')
}
