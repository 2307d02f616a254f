import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { cacheRoot, hubEndpoint, hubToken, isOffline } from '../../src/hub/hub-environment.ts'
import { proxyFor } from '../../src/hub/proxy.ts'
import { temporaryFolder } from '../support/model-repo.ts'

describe('the cache', () => {
  const all = {
    HF_HUB_CACHE: '/a',
    HUGGINGFACE_HUB_CACHE: '/b',
    HF_HOME: '/c',
    XDG_CACHE_HOME: '/d',
    HOME: '/e',
  }

  it.each([
    [all, '/a'],
    [{ ...all, HF_HUB_CACHE: undefined }, '/b'],
    [{ ...all, HF_HUB_CACHE: '', HUGGINGFACE_HUB_CACHE: '' }, '/c/hub'],
    [{ XDG_CACHE_HOME: '/d', HOME: '/e' }, '/d/huggingface/hub'],
    [{ HOME: '/e' }, '/e/.cache/huggingface/hub'],
    [{ HOME: '/e', HF_HOME: '~/x' }, '/e/x/hub'],
    [{ HOME: '/e', HF_HUB_CACHE: ['$HOME/y/$', '{Z}'].join(''), Z: 'z' }, '/e/y/z'],
  ])('is where %j says', (env, path) => {
    expect(cacheRoot(env)).toBe(path)
  })

  it('is first of all where --cache-dir says', () => {
    expect(cacheRoot(all, '/f')).toBe('/f')
  })

  it.each([
    [{ HF_HUB_OFFLINE: '1' }, true],
    [{ HF_HUB_OFFLINE: 'yes' }, true],
    [{ TRANSFORMERS_OFFLINE: 'TRUE' }, true],
    [{ HF_HUB_OFFLINE: '0' }, false],
    [{}, false],
  ])('%j means offline: %s', (env, offline) => {
    expect(isOffline(env)).toBe(offline)
  })
})

describe('the token', () => {
  it('comes from HF_TOKEN, HUGGING_FACE_HUB_TOKEN, HF_TOKEN_PATH, the file in HF_HOME', () => {
    const home = temporaryFolder()
    mkdirSync(join(home, 'hf'))
    writeFileSync(join(home, 'hf/token'), 'hf_file\n')
    writeFileSync(join(home, 'other'), ' hf_path ')
    const env = {
      HF_TOKEN: 'hf_1',
      HUGGING_FACE_HUB_TOKEN: 'hf_2',
      HF_TOKEN_PATH: join(home, 'other'),
      HF_HOME: join(home, 'hf'),
    }
    expect(hubToken(env)).toEqual({ value: 'hf_1', source: 'HF_TOKEN' })
    expect(hubToken({ ...env, HF_TOKEN: '' })).toEqual({ value: 'hf_2', source: 'HUGGING_FACE_HUB_TOKEN' })
    const { HF_HOME, HF_TOKEN_PATH } = env
    expect(hubToken({ HF_HOME, HF_TOKEN_PATH })?.value).toBe('hf_path')
    expect(hubToken({ HF_HOME })).toEqual({ value: 'hf_file', source: 'the token file' })
    expect(hubToken({ HF_HOME, HF_HUB_DISABLE_IMPLICIT_TOKEN: '1' })).toBeUndefined()
    expect(hubToken({ HOME: home })).toBeUndefined()
  })

  it('is none where it could not stand in a header', () => {
    expect(hubToken({ HF_TOKEN: 'hf_a\r\nx: y', HOME: '/nowhere' })).toBeUndefined()
  })

  it('A10: is not sent in clear: 2', () => {
    const token = { value: 'hf_CANARY', source: 'HF_TOKEN' }
    const ask = () => hubEndpoint({ HF_ENDPOINT: 'http://hub.example' }, token)
    expect(ask).toThrow(
      expect.objectContaining({ code: 'usage', message: expect.not.stringContaining('CANARY') }),
    )
    expect(hubEndpoint({ HF_ENDPOINT: 'http://hub.example' }, undefined).host).toBe('hub.example')
    for (const host of ['127.0.0.1:1', 'localhost:2', '[::1]:3']) {
      expect(hubEndpoint({ HF_ENDPOINT: `http://${host}` }, token).host).toBe(host)
    }
    expect(hubEndpoint({ HF_ENDPOINT: 'https://hub.example/mirror/' }, token).href).toBe(
      'https://hub.example/mirror',
    )
  })

  it.each(['no url', 'ftp://x', 'https://user:pw@x', 'https://x/?q', 'https://x/#f'])(
    'A10: the endpoint %j: 2',
    (HF_ENDPOINT) => {
      expect(() => hubEndpoint({ HF_ENDPOINT }, undefined)).toThrow(
        expect.objectContaining({ code: 'usage' }),
      )
    },
  )
})

describe('the proxy', () => {
  const url = new URL('https://hub.example/x')

  it.each([
    [{ HTTPS_PROXY: 'http://p:1' }, 'p:1'],
    [{ https_proxy: 'http://q:2', HTTPS_PROXY: 'http://p:1' }, 'q:2'],
    [{ ALL_PROXY: 'p:3' }, 'p:3'],
    [{ HTTP_PROXY: 'http://p:1' }, undefined],
    [{ HTTPS_PROXY: 'http://p:1', NO_PROXY: 'hub.example' }, undefined],
    [{ HTTPS_PROXY: 'http://p:1', NO_PROXY: 'other, .example' }, undefined],
    [{ HTTPS_PROXY: 'http://p:1', NO_PROXY: 'hub.example:80' }, 'p:1'],
    [{ HTTPS_PROXY: 'http://p:1', NO_PROXY: 'b.example' }, 'p:1'],
    [{ HTTPS_PROXY: 'http://p:1', no_proxy: '*' }, undefined],
  ])('for %j is %s', (env, host) => {
    expect(proxyFor(url, env)?.host).toBe(host)
  })

  it.each(['http://user:CANARY@p:99999', 'socks5://user:CANARY@p:1080', '::'])(
    'H17: %j: 69, without its password',
    (HTTPS_PROXY) => {
      const ask = () => proxyFor(url, { HTTPS_PROXY })
      expect(ask).toThrow(
        expect.objectContaining({ code: 'unavailable', message: expect.not.stringContaining('CANARY') }),
      )
      expect(ask).toThrow(/^proxy/)
    },
  )
})
