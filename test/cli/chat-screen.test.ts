/**
 * A chat on a real terminal: Ctrl-C, a resized window, a paste, Ctrl-Z, a full context. What was said is on the screen and
 * in the file, all of it. Alone: npx vitest run test/cli/chat-screen.test.ts
 */
import { mkdtempSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { HOME } from '../support/run-spout.ts'
import { hasTmux, openWindow } from '../support/tmux.ts'
import { EOS, removeToys, TOY_TEMPLATE, toyModel } from '../support/toy-model.ts'

const slow = toyModel({
  scripts: { '?': ['Y', 'e', 's', EOS], d: ['round ', 'and ', 'about '] },
  chatTemplate: TOY_TEMPLATE,
  rounds: 20_000,
})
afterAll(removeToys)
const folder = mkdtempSync(join(HOME, 'screen-'))
const kept = (): { role: string; content: string }[] =>
  JSON.parse(readFileSync(join(folder, 'chat-last.json'), 'utf8')).messages

/** A text of many lines with characters of every width, and what might be taken for something else. */
const PASTED = [
  'def f():',
  '    """a docstring"""',
  '\tindented by a tab \\',
  '/exit',
  '',
  '世界 😀 é \u202eturned\u2028over',
  ...Array.from({ length: 50 }, (_, i) => `line ${i} of a long paste, which is sent in several pieces`),
  'is that all?',
].join('\n')

describe.runIf(hasTmux)('[chat.screen P7] nothing is lost (needs tmux)', () => {
  test('from screen or file', { timeout: 120_000 }, async ({ onTestFinished }) => {
    const window = openWindow({ env: { SPOUT_CACHE_DIR: folder } })
    onTestFinished(() => window.close())
    const prompted = (times: number): Promise<string> => window.shows(/^> /m, times)
    window.type(`spout chat -m ${slow}`)
    window.press('Enter')
    await prompted(1)

    // A window that changes during an answer, and Ctrl-C.
    window.type('d')
    window.press('Enter')
    await window.shows('about ', 8)
    for (const [columns, rows] of [
      [60, 20],
      [100, 30],
      [45, 12],
      [80, 24],
    ] as const) {
      window.resize(columns, rows)
      await new Promise((resolve) => setTimeout(resolve, 120))
    }
    window.press('C-c')
    const stopped = await window.shows('spout: stopped; what was said stays')
    const answer = kept()[1]!.content
    expect(answer.length).toBeGreaterThan(30)
    expect(stopped.replace('^C', '')).toContain(`> d\n${answer}\nspout: stopped`)

    // The next Ctrl-C does not leave; its note has a line of its own.
    window.press('C-c')
    expect(await window.shows('once more')).toMatch(/^> \nspout: Ctrl-C once more, or Ctrl-D, leaves\n> $/m)

    // A paste is one message, to the last character; and so it is recalled.
    window.paste(PASTED)
    const pasted = await window.shows('is that all?')
    for (const line of PASTED.split('\n').slice(6)) expect(pasted).toContain(`\n${line}\n`)
    window.press('Enter')
    await window.shows(/^Yes\n> /m)
    expect(kept()[2]).toEqual({ role: 'user', content: PASTED })

    // Ctrl-Z in the middle of a line, and back.
    window.type('is half')
    await window.shows('> is half')
    window.press('C-z')
    await window.shows('Stopped')
    window.type('echo in the shell; fg')
    window.press('Enter')
    await window.shows(/^in the shell$/m)
    await window.shows('> is half', 2)
    window.type(' whole?')
    window.press('Enter')
    await window.shows(/^Yes\n> /m, 2)
    expect(kept()[4]).toEqual({ role: 'user', content: 'is half whole?' })

    // The context becomes full: the oldest turns are left out, and all turns are in the file.
    window.press('Up')
    window.press('Up')
    await window.shows('is that all?', 2)
    window.press('Enter')
    expect(await window.shows(/^Yes\n> /m, 3)).toMatch(
      /the context of 4096 tokens is full: the oldest \d turns? left out/,
    )
    window.type('/exit')
    window.press('Enter')
    await window.shows(/^\$ $/m)
    expect(kept().map(({ content }) => content)).toEqual([
      ...['d', answer],
      ...[PASTED, 'Yes', 'is half whole?', 'Yes', PASTED, 'Yes'],
    ])

    // And it goes on another day.
    window.type(`clear; spout chat -m ${slow} --continue`)
    window.press('Enter')
    await window.shows('spout: goes on after 4 turns; the last was about')
    await prompted(1)
    window.type('and?')
    window.press('Enter')
    await window.shows(/^Yes\n> /m, 1)
    window.press('C-d')
    await window.shows(/^\$ $/m)
    expect(kept()).toHaveLength(10)
  })
})
