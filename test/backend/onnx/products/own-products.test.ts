import { expect, test } from 'vitest'
import { encodeGraph, type Graph } from '../../../../src/backend/onnx/graph/graph-file.ts'
import { withOwnProducts } from '../../../../src/backend/onnx/products/own-products.ts'
import { graphOf, rowsOf } from '../../../support/product-graphs.ts'
import { type ProductShape, productNode, productWeights } from '../../../support/quantized-products.ts'
import { runGraph } from '../../../support/run-graph.ts'
import { value } from '../../../support/tiny-graphs.ts'

const graphWith = (shape: ProductShape): Graph =>
  graphOf(
    productNode('rows', 'w', 'y', shape),
    ...productWeights('w', shape),
    value('input', 'rows', [1, 'count', shape.k]),
    value('output', 'y', [1, 'count', shape.n]),
  )

function own(graph: Graph) {
  const made = withOwnProducts(graph)
  return { bytes: encodeGraph(made.graph), weightsFolder: graph.weightsFolder, weights: made.weights }
}

for (const bits of [4, 8])
  for (const [k, n] of [
    [64, 64],
    [64, 16],
    [96, 80],
    [576, 1536],
    [256, 112],
  ] as const) {
    test(`${bits} bits ${k}x${n}`, async () => {
      const graph = graphWith({ k, n, bits, level: 4 })
      for (const count of [1, 2, 7, 8, 9, 16, 33, 130]) {
        for (const threads of [1, 2]) {
          const feeds = { rows: rowsOf(count, k) }
          const before = await runGraph(
            { bytes: encodeGraph(graph), weightsFolder: graph.weightsFolder },
            feeds,
            { threads },
          )
          const after = await runGraph(own(graph), feeds, { threads })
          const [a, b] = [before.y!, after.y!]
          let worst = 0
          const size = a.reduce((most, number) => Math.max(most, Math.abs(number)), 0)
          for (let i = 0; i < a.length; i++) worst = Math.max(worst, Math.abs(a[i]! - b[i]!) / size)
          expect(b.length).toBe(a.length)
          expect(worst, `rows ${count}`).toBeLessThan(1e-5)
        }
      }
    })
  }
