/** Ways to damage a file: its bytes, a text, a JSON value, a protobuf message of a graph. */
import { bytesField, bytesSource, concat, fieldsOf, varintField } from '../../dist/onnx-file/wire.js'

/** A few flipped bits, a piece that is lost, doubled, moved or overwritten, or an early end. */
export function mutateBytes(bytes, random) {
  const changed = Buffer.from(bytes)
  if (changed.length === 0) return Buffer.of(random.below(256))
  const at = random.below(changed.length)
  const length = Math.min(1 + random.below(64), changed.length - at)
  const ways = [
    () => {
      for (let i = 0; i <= random.below(4); i++) changed[random.below(changed.length)] ^= 1 << random.below(8)
      return changed
    },
    () => changed.subarray(0, at),
    () => Buffer.concat([changed.subarray(0, at), changed.subarray(at + length)]),
    () => Buffer.concat([changed.subarray(0, at + length), changed.subarray(at)]),
    () => changed.fill(random.pick([0, 255, 127, 128]), at, at + length),
    () => {
      changed.copy(changed, at, random.below(changed.length), changed.length)
      return changed
    },
  ]
  return random.pick(ways)()
}

const VALUES = [
  null,
  true,
  false,
  0,
  1,
  -1,
  2,
  3.5,
  1e9,
  -1e9,
  2 ** 31,
  2 ** 53,
  1e308,
  '',
  'x',
  '0',
  'a'.repeat(3000),
  '\u0000',
  '\ud800',
  '__proto__',
  [],
  {},
  [[]],
  { type: 'Sequence' },
  [null],
  '(a+)+$',
  { String: '' },
  { Regex: '(x+x+)+y' },
]

/** Another value of the same kind somewhere, one of another kind, or a key that is lost, doubled or renamed. */
export function mutateJson(value, random) {
  const copy = structuredClone(value)
  const places = []
  const walk = (parent) => {
    for (const key of Object.keys(parent).slice(0, 400)) {
      places.push([parent, key])
      if (parent[key] !== null && typeof parent[key] === 'object') walk(parent[key])
    }
  }
  walk(copy)
  for (let i = 0; i <= random.below(3) && places.length > 0; i++)
    changePlace(random.pick(places), random, places)
  return copy
}

function changePlace([parent, key], random, places) {
  const old = parent[key]
  const ways = [
    () => (parent[key] = random.pick(VALUES)),
    () => (Array.isArray(parent) ? parent.splice(Number(key), 1) : delete parent[key]),
    () => {
      const [from, name] = random.pick(places)
      parent[key] = structuredClone(from[name])
    },
    () => {
      if (typeof old === 'number') parent[key] = random.pick([old + 1, -old, old * 1000, old / 3, 0])
      else if (typeof old === 'string') parent[key] = mutateText(old, random)
      else if (Array.isArray(old)) parent[key] = [...old, ...old.slice(0, 50)]
      else parent[key] = random.pick(VALUES)
    },
    () => {
      if (Array.isArray(parent)) parent.push(structuredClone(old))
      else
        parent[random.pick(['type', 'model', 'vocab', 'decoder', 'added_tokens', 'x'])] = structuredClone(old)
    },
  ]
  random.pick(ways)()
}

const PIECES = [
  '{{',
  '}}',
  '{%',
  '%}',
  '{# ',
  "'",
  '"',
  '(',
  ')',
  '[',
  '|',
  ' in ',
  'range(99999999)',
  '* 999999',
  '\u2028',
  '\\',
  '.*',
  '\n',
]

/** A character or a piece that is lost, doubled or put in. */
export function mutateText(text, random) {
  const at = random.below(text.length + 1)
  const length = random.below(12)
  const put = random.chance(0.5) ? random.pick(PIECES) : text.slice(at, at + length)
  return text.slice(0, at) + put + text.slice(at + (random.chance(0.5) ? length : 0))
}

/** Fields that hold messages, by the message they are in. */
const MESSAGES = {
  model: { 7: 'graph', 8: 'opset' },
  graph: { 1: 'node', 5: 'tensor', 11: 'value', 12: 'value', 13: 'value' },
  node: { 5: 'attribute' },
  attribute: { 5: 'tensor', 6: 'graph' },
  tensor: { 13: 'entry' },
  value: { 2: 'type' },
  type: { 1: 'tensorType' },
  tensorType: { 2: 'shape' },
  shape: { 1: 'size' },
}

/** One field anywhere in a model: lost, doubled, moved, another number, another text. */
export function mutateModel(bytes, random, kind = 'model') {
  const source = bytesSource(bytes)
  const fields = [...fieldsOf(source)]
  if (fields.length === 0) return bytes
  const parts = fields.map(({ start, end }) => bytes.subarray(start, end))
  const inner = MESSAGES[kind] ?? {}
  const messages = fields.filter(({ number, wireType }) => wireType === 2 && inner[number] !== undefined)
  const deeper = messages.length > 0 && random.chance(kind === 'model' ? 0.97 : 0.75)
  const field = random.pick(deeper ? messages : fields)
  const at = fields.indexOf(field)
  const content = bytes.subarray(field.valueStart, field.end)
  if (deeper) parts[at] = bytesField(field.number, mutateModel(content, random, inner[field.number]))
  else parts.splice(at, 1, ...changedField(field, content, { random, parts, at }))
  return concat(parts)
}

function changedField({ number, wireType, varint }, content, { random, parts, at }) {
  const same = parts[at]
  const ways = [
    () => [],
    () => [same, same],
    () => {
      const other = random.below(parts.length)
      const moved = parts[other]
      parts[other] = same
      return [moved]
    },
    () => {
      if (wireType === 0)
        return [
          varintField(number, random.pick([0, 1, 2, 3, 4, 7, 8, 16, 64, 2 ** 31, 2 ** 40, varint + 1n])),
        ]
      if (wireType === 2 && content.length < 200) return [bytesField(number, mutateBytes(content, random))]
      return [mutateBytes(same, random)]
    },
    () => {
      const other = random.pick(parts)
      return [other, same]
    },
  ]
  return random.pick(ways)()
}
