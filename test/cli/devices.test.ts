/** `spout devices` and `--device`, by the built program: without a card, and with one made of software. */
import { afterAll, describe, expect, test } from 'vitest'
import { runSpout } from '../support/run-spout.ts'
import { hasSoftwareGpu, NEEDS_GPU, softwareGpuEnvironment } from '../support/software-gpu.ts'
import { EOS, removeToys, toyModel } from '../support/toy-model.ts'

afterAll(removeToys)

const ASK = ['Once upon a time', '-n', '6', '-t', '0', '--no-stdin']
const NO_DRIVER = { VK_DRIVER_FILES: '/nowhere', XDG_RUNTIME_DIR: '/tmp' }

describe.runIf(process.platform === 'linux')('without a card (needs Linux)', () => {
  test('devices says why, as text and as JSON', async () => {
    const text = await runSpout(['devices'], { env: NO_DRIVER })
    expect(text.stdout).toMatch(/^not usable: .*(Vulkan|loader)/)
    expect(text).toMatchObject({ code: 0, stderr: '' })
    const json = await runSpout(['devices', '--json'], { env: NO_DRIVER })
    expect(JSON.parse(json.stdout)).toMatchObject({ devices: [], usable: false, why: expect.any(String) })
  })

  test('--device gpu ends with one clear line; nothing of the driver on stderr', async () => {
    const run = await runSpout([...ASK, '--device', 'gpu'], { env: NO_DRIVER })
    expect(run).toMatchObject({ code: 71, stdout: '' })
    expect(run.stderr).toBe(
      'spout: error: gpu: no graphics card here can be used\nspout: hint: spout devices says more; --device cpu\n',
    )
  })

  test('auto says nothing and runs on the processor', async () => {
    const [auto, cpu] = await Promise.all(
      [[], ['--device', 'cpu']].map((more) => runSpout([...ASK, ...more], { env: NO_DRIVER })),
    )
    expect(auto).toMatchObject({ code: 0, stderr: cpu!.stderr, stdout: cpu!.stdout })
  })

  test('the other runtime knows no card', async () => {
    const run = await runSpout([...ASK, '--device', 'gpu', '--runtime', 'node'], { env: NO_DRIVER })
    expect(run).toMatchObject({ code: 2, stdout: '' })
    expect(run.stderr).toContain('--runtime c-api')
  })
})

describe.skipIf(!hasSoftwareGpu)(`with a card made of software ${NEEDS_GPU}`, () => {
  test('devices names it, and it can be used', async () => {
    const run = await runSpout(['devices', '--json'], { env: softwareGpuEnvironment })
    const { devices, usable } = JSON.parse(run.stdout)
    expect(devices).toMatchObject([{ name: expect.stringContaining('SwiftShader'), kind: 'software' }])
    expect(usable).toBe(true)
  })

  test('the answer from there is that of the processor', async () => {
    const ask = ['-m', toyModel({ scripts: { a: ['Hello', EOS] } }), 'a', '--no-stdin']
    const [gpu, cpu] = await Promise.all([
      runSpout([...ask, '--device', 'gpu'], { env: softwareGpuEnvironment }),
      runSpout(ask),
    ])
    expect(cpu!.stdout).toBe('Hello\n')
    expect(gpu).toMatchObject({ code: 0, stdout: cpu!.stdout, stderr: cpu!.stderr })
  })
})
