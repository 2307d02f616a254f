/**
 * Reads an ONNX file into its skeleton: the graph without its weights. A large tensor inside the file becomes a
 * reference to the bytes where they lie, so a model of any size is read in milliseconds, and the runtime maps the
 * weights from the files the user already has.
 */
import { statSync } from 'node:fs'
import { basename } from 'node:path'
import { SpoutError } from '../errors.ts'
import { OWN_DOMAIN } from './domains.ts'
import { MODEL } from './fields.ts'
import { withFileSource } from './file-source.ts'
import type { Graph, GraphBody, Skeleton } from './graph.ts'
import { encodeBody, type Reading, readBody, readFunction, type WeightPlaces } from './read-body.ts'
import { WeightFiles } from './weight-files.ts'
import { type ByteSource, bytesField, concat, copyOf, fieldsOf } from './wire.ts'

export type { Graph, GraphNode } from './graph.ts'

interface GraphFileOptions {
  /** This program wrote it, so it may use our names and operators. */
  readonly isOurs?: boolean
}

/** @throws SpoutError `config` when the file is no ONNX graph or its weights are not there; `not-found` without one. */
export function readGraphFile(path: string, { isOurs = false }: GraphFileOptions = {}): Graph {
  regularFileSize(path)
  const weights = new WeightFiles(path)
  const { folder } = weights
  let graph = readSkeleton(path, weights)
  // Some weights lie beside the folder of the others: now all are named from one above.
  if (weights.folder !== folder) graph = readSkeleton(path, weights)
  if (!isOurs) refuseOwnNames(graph, basename(path))
  return { ...graph, weightsFolder: weights.folder, files: weights.paths }
}

/** The graph with every reference to weights as `places` says. @throws SpoutError as `readGraphFile`. */
export function readSkeleton(path: string, places: WeightPlaces): Skeleton {
  return withFileSource(path, { size: regularFileSize(path), window: WINDOW }, (source) => {
    refuseOtherFiles(source, path)
    const reading = {
      source,
      weights: places,
      opTypes: new Set<string>(),
      domains: new Set<string>(),
      renamed: { count: 0 },
    }
    return readModel(reading, basename(path))
  })
}

/** Most of what is not skipped is nodes, which are many and small. */
const WINDOW = 1 << 18

/** The skeleton as bytes of a ModelProto. */
export function encodeGraph(graph: Skeleton): Uint8Array {
  return concat([...graph.modelFields, bytesField(MODEL.graph, encodeBody(graph))])
}

/** Asked before opening: to open a pipe is to wait for somebody who writes to it. */
function regularFileSize(path: string): number {
  const status = statSync(path, { throwIfNoEntry: false })
  if (status === undefined) {
    throw new SpoutError('not-found', `model graph: ${basename(path)} is not there`)
  }
  if (!status.isFile()) throw new SpoutError('config', `model graph: ${basename(path)} is not a file`)
  return status.size
}

/** What lies where a graph should be when a download went wrong, told by its first bytes. */
function refuseOtherFiles(source: ByteSource, path: string): void {
  const start = Buffer.from(source.read(0, Math.min(64, source.size))).toString('latin1')
  const is = (what: string, hint: string): SpoutError =>
    new SpoutError('config', `model graph: ${basename(path)} is ${what} (${source.size} bytes)`, { hint })
  if (source.size === 0) throw is('empty', 'download the model again')
  if (start.startsWith('version https://git-lfs')) {
    throw is('a Git LFS pointer', '`git lfs pull` in that folder fetches the file itself')
  }
  if (/^\s*(<!doctype|<html|<\?xml)/i.test(start)) throw is('a web page', 'download the model again')
  if (/^\s*[{[]\s*"/.test(start)) throw is('a JSON text', 'download the model again')
}

function readModel(reading: Reading, name: string): Skeleton {
  const { source, opTypes } = reading
  const modelFields: Uint8Array[] = []
  let body: GraphBody | undefined
  try {
    for (const field of fieldsOf(source)) {
      if (field.number === MODEL.functions) readFunction(reading, field)
      if (field.number === MODEL.graph && body !== undefined)
        throw new SpoutError('config', `${GRAPH_PREFIX}two graphs`)
      if (field.number === MODEL.graph) body = readBody(reading, field.valueStart, field.end)
      else modelFields.push(copyOf(source, field))
    }
  } catch (error) {
    throw named(error, name, source.size)
  }
  if (body === undefined || body.nodes.length === 0) {
    throw new SpoutError('config', `model graph: ${name} holds no ONNX graph`)
  }
  return { ...body, modelFields, opTypes, domains: reading.domains }
}

/**
 * Operators of our domain are machine code that believes what our own passes have checked, and names like those that passes
 * give would hide them.
 */
function refuseOwnNames({ domains, nodes, initializers, inputs }: Skeleton, name: string): void {
  const names = [...nodes.flatMap(({ outputs }) => outputs), ...initializers.keys(), ...inputs]
  if (!domains.has(OWN_DOMAIN) && !names.some((each) => each.startsWith(`${OWN_DOMAIN}.`))) return
  throw new SpoutError('config', `${GRAPH_PREFIX}${name}: it uses names that are kept for this program`, {
    hint: 'take the file of the model as it was published',
  })
}

/** What is wrong with the bytes, with the name of the file they are from. */
function named(error: unknown, name: string, size: number): unknown {
  if (!(error instanceof SpoutError) || !error.message.startsWith(GRAPH_PREFIX)) return error
  const detail = error.message.slice(GRAPH_PREFIX.length)
  const options = { cause: error, ...(error.hint === undefined ? {} : { hint: error.hint }) }
  return new SpoutError('config', `${GRAPH_PREFIX}${name} (${size} bytes): ${detail}`, options)
}

const GRAPH_PREFIX = 'model graph: '
