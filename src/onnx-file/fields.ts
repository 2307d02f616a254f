/** Field numbers of onnx.proto, those that are read or written here. */

export const OPSET = { domain: 1, version: 2 } as const
export const MODEL = { irVersion: 1, opsetImport: 8, graph: 7, functions: 25 } as const
export const GRAPH = {
  node: 1,
  name: 2,
  initializer: 5,
  input: 11,
  output: 12,
  valueInfo: 13,
  sparseInitializer: 15,
} as const
export const FUNCTION = { node: 7, domain: 10 } as const
export const NODE = { input: 1, output: 2, name: 3, opType: 4, attribute: 5, domain: 7 } as const
export const ATTRIBUTE = {
  name: 1,
  f: 2,
  i: 3,
  t: 5,
  g: 6,
  ints: 8,
  type: 20,
  tensors: 10,
  graphs: 11,
  sparse: [22, 23],
} as const
export const TENSOR = {
  dims: 1,
  type: 2,
  int32Data: 5,
  int64Data: 7,
  name: 8,
  rawData: 9,
  externalData: 13,
  dataLocation: 14,
} as const
/** SparseTensorProto, of two tensors. */
export const SPARSE = { values: 1, indices: 2 } as const
export const VALUE_INFO = { name: 1, type: 2 } as const
/** TypeProto, and what it says of a tensor. */
export const TYPE = { tensor: 1 } as const
export const TENSOR_TYPE = { element: 1, shape: 2 } as const
/** TensorShapeProto.Dimension, the only field of a shape. */
export const DIMENSION = { value: 1, name: 2 } as const
export const ENTRY = { key: 1, value: 2 } as const
/** The domain of ONNX Runtime's own operators. */
export const MICROSOFT = 'com.microsoft'
/** TensorProto.data_location of weights that lie in another file. */
export const EXTERNAL = 1

export const FLOAT = 1
export const UINT8 = 2
export const INT32 = 6
export const INT64 = 7
export const FLOAT16 = 10
export const BFLOAT16 = 16

/** Bits of one element by TensorProto.DataType; strings have none. */
export const ELEMENT_BITS: Readonly<Record<number, number>> = {
  1: 32,
  2: 8,
  3: 8,
  4: 16,
  5: 16,
  6: 32,
  7: 64,
  9: 8,
  10: 16,
  11: 64,
  12: 32,
  13: 64,
  14: 64,
  15: 128,
  16: 16,
  17: 8,
  18: 8,
  19: 8,
  20: 8,
  21: 4,
  22: 4,
  23: 4,
  24: 8,
  25: 2,
  26: 2,
}
