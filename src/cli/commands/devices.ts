/** `spout devices`: the graphics cards, and whether a model can run there. */
import { type ListedDevices, listDevices } from '../../open/list-devices.ts'
import { bytesText } from '../../system/quantities.ts'
import { escapeText, toJson } from '../../system/text-display.ts'
import type { Context } from '../context.ts'
import { DEVICES_FLAGS } from '../flags.ts'
import { commandHelp } from '../help/help-text.ts'
import { parseCommandLine } from '../program.ts'

function devicesHelp(): string {
  return commandHelp({
    usage: 'spout devices',
    summary:
      'Shows the graphics cards of this machine, and whether a model can run there (--device gpu). Where it does sooner than on the processor is measured for each model when it is prepared: spout models show.',
    flags: DEVICES_FLAGS,
  })
}

export async function devicesCommand(argv: readonly string[], { stdout }: Context): Promise<void> {
  const command = { name: 'spout devices', flags: DEVICES_FLAGS, help: devicesHelp }
  const { options } = parseCommandLine<{ readonly json?: boolean }>(argv, command)
  const listed = await listDevices()
  await stdout.write(options.json ? `${toJson(devicesJson(listed), 2)}\n` : devicesText(listed))
  await stdout.flush()
}

function devicesText({ devices, through, why }: ListedDevices): string {
  const lines = devices.map(({ name, kind, driver, memory, hasHalf }) => {
    const half = hasHalf ? 'half precision' : 'no half precision'
    return `${name} (${kind}, ${bytesText(memory)}, ${half}; ${driver})`
  })
  const verdict = why === undefined ? `usable, through ${through}: --device gpu` : `not usable: ${why}`
  return [...lines, verdict].map((line) => `${escapeText(line)}\n`).join('')
}

function devicesJson({ devices, through, why }: ListedDevices): object {
  return {
    devices: devices.map(({ name, kind, driver, memory, hasHalf }) => {
      return { name, kind, driver, memory, shader_f16: hasHalf }
    }),
    through,
    usable: why === undefined,
    why: why ?? null,
  }
}
