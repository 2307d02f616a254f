/** Limits of containers, from the kernel's files as they look in Docker, systemd and Kubernetes. */
import { describe, expect, test } from 'vitest'
import { cpuQuota, memoryLeft } from '../../src/system/control-group.ts'

const V2 = '29 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n'
const MB = 1 << 20

/** A machine that has these files and no others. */
const machine = (files: Readonly<Record<string, string>>) => (path: string) => files[path]

describe('version 2', () => {
  const inside = (files: Readonly<Record<string, string>>) =>
    machine({ '/proc/self/cgroup': '0::/\n', '/proc/self/mountinfo': V2, ...files })

  test.each([
    ['100000 100000\n', 1],
    ['50000 100000\n', 0.5],
    ['150000 100000\n', 1.5],
    ['max 100000\n', undefined],
    ['', undefined],
    ['100000 0\n', undefined],
  ])('cpu.max %j is %j processors', (text, expected) => {
    expect(cpuQuota(inside({ '/sys/fs/cgroup/cpu.max': text }))).toBe(expected)
  })

  test('memory: the limit less what is used, copies of files apart', () => {
    const files = {
      '/sys/fs/cgroup/memory.max': `${512 * MB}\n`,
      '/sys/fs/cgroup/memory.current': `${300 * MB}\n`,
      '/sys/fs/cgroup/memory.stat': `anon ${100 * MB}\ninactive_file ${200 * MB}\nactive_file 7\n`,
    }
    expect(memoryLeft(inside(files))).toBe(412 * MB)
    expect(memoryLeft(inside({ ...files, '/sys/fs/cgroup/memory.max': 'max\n' }))).toBeUndefined()
    expect(memoryLeft(inside({ ...files, '/sys/fs/cgroup/memory.max': '1\n' }))).toBe(0)
  })

  test('the strictest of the groups above counts', () => {
    const read = machine({
      '/proc/self/cgroup': '0::/system.slice/job.service/inner\n',
      '/proc/self/mountinfo': V2,
      '/sys/fs/cgroup/system.slice/cpu.max': '300000 100000\n',
      '/sys/fs/cgroup/system.slice/job.service/cpu.max': '200000 100000\n',
      '/sys/fs/cgroup/system.slice/job.service/inner/cpu.max': 'max 100000\n',
      '/sys/fs/cgroup/other/cpu.max': '1000 100000\n',
    })
    expect(cpuQuota(read)).toBe(2)
  })
})

describe('version 1', () => {
  const mounts =
    '31 30 0:28 /docker/abc /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n' +
    '32 30 0:29 /docker/abc /sys/fs/cgroup/mem\\040ory rw - cgroup cgroup rw,memory\n' +
    V2.replace('/sys/fs/cgroup', '/sys/fs/cgroup/unified')
  const inside = (files: Readonly<Record<string, string>>) =>
    machine({
      '/proc/self/cgroup': '4:memory:/docker/abc\n2:cpu,cpuacct:/docker/abc\n0::/docker/abc\n',
      '/proc/self/mountinfo': mounts,
      ...files,
    })

  test.each([
    ['100000', 1],
    ['-1', undefined],
  ])('a quota of %s', (quota, expected) => {
    const files = {
      '/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us': `${quota}\n`,
      '/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us': '100000\n',
    }
    expect(cpuQuota(inside(files))).toBe(expected)
  })

  test('memory', () => {
    const files = {
      '/sys/fs/cgroup/mem ory/memory.limit_in_bytes': `${512 * MB}\n`,
      '/sys/fs/cgroup/mem ory/memory.usage_in_bytes': `${500 * MB}\n`,
      '/sys/fs/cgroup/mem ory/memory.stat': `inactive_file 1\ntotal_inactive_file ${100 * MB}\n`,
    }
    expect(memoryLeft(inside(files))).toBe(112 * MB)
  })
})

test('a group that is not below what is mounted: what can be seen stands for it', () => {
  const read = (path: string) =>
    machine({
      '/proc/self/cgroup': `0::${path}\n`,
      '/proc/self/mountinfo': V2.replace(' / /sys', ' /pods/x /sys'),
      '/sys/fs/cgroup/cpu.max': '100000 100000\n',
    })
  for (const path of ['/elsewhere', '/../../y', '/pods/xy', '/pods/x', '/pods/x/../..']) {
    expect(cpuQuota(read(path)), path).toBe(1)
  }
})

test('no such files: no limit', () => {
  expect([cpuQuota(machine({})), memoryLeft(machine({}))]).toEqual([undefined, undefined])
  expect(cpuQuota(machine({ '/proc/self/cgroup': '0::/\n' }))).toBeUndefined()
})
