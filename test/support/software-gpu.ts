/** A graphics card made of software: SwiftShader, which Debian's package chromium brings. To be called before a session is made. */
import { existsSync } from 'node:fs'

const DRIVER = '/usr/lib/chromium/vk_swiftshader_icd.json'
const LOADERS = ['/usr/lib/x86_64-linux-gnu/libvulkan.so.1', '/usr/lib/aarch64-linux-gnu/libvulkan.so.1']

export const hasSoftwareGpu = existsSync(DRIVER) && LOADERS.some((path) => existsSync(path))
/** In titles of what is skipped without it. */
export const NEEDS_GPU = '(needs SwiftShader and a Vulkan loader)'

export const softwareGpuEnvironment: Readonly<Record<string, string>> = {
  VK_DRIVER_FILES: DRIVER,
  // Where it is not set, the loader of the provider's warns.
  XDG_RUNTIME_DIR: '/tmp',
}

export function useSoftwareGpu(): void {
  Object.assign(process.env, softwareGpuEnvironment)
}
