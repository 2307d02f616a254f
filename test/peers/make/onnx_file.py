"""Writes the ONNX graph of a shape as today's builders lay it out: q, k and v in one 4-bit product, GroupQueryAttention with
the rotation inside, the mask reduced to two integers, and the embedding read from the 4-bit rows of the head.

Inputs input_ids and attention_mask int64 [batch, …], past_key_values.N.key|value float [batch, kv_heads, past, head_dim];
outputs logits [batch, sequence, vocab] of every position and present.N.*. The weights lie in one external data file.
"""

import numpy as np
import onnx
from onnx import TensorProto, helper

from .weights import BLOCK

INLINE_BELOW = 1024  # bytes; smaller tensors stay in the graph
PAGE = 4096


class ExternalData:
    """Appends tensors to the data file and remembers where."""

    def __init__(self, path):
        self.location, self.file, self.tensors = path.name, open(path, "wb"), []

    def add(self, name, array):
        array = np.ascontiguousarray(array)
        kind = helper.np_dtype_to_tensor_dtype(array.dtype)
        tensor = TensorProto(name=name, data_type=kind, dims=array.shape)
        if array.nbytes < INLINE_BELOW:
            tensor.raw_data = array.tobytes()
        else:
            self.file.write(bytes(-self.file.tell() % PAGE))
            tensor.data_location = TensorProto.EXTERNAL
            for key, value in {"location": self.location, "offset": self.file.tell(), "length": array.nbytes}.items():
                tensor.external_data.add(key=key, value=str(value))
            self.file.write(array.tobytes())
        self.tensors.append(tensor)
        return name


class Graph:
    def __init__(self, shape, weights, data):
        self.shape, self.weights, self.data, self.nodes = shape, weights, data, []

    def node(self, op, name, inputs, outputs=1, domain="", **attributes):
        """Adds a node and returns its outputs' names, derived from its own unless given."""
        names = [f"{name}/output_{i}" for i in range(outputs)] if isinstance(outputs, int) else outputs
        self.nodes.append(helper.make_node(op, inputs, names, name=name, domain=domain, **attributes))
        return names[0] if len(names) == 1 else names

    def microsoft(self, op, name, inputs, outputs=1, **attributes):
        return self.node(op, name, inputs, outputs, "com.microsoft", **attributes)

    def product(self, name, x, sources, outputs=1):
        """x times the named matrices, stacked as one: int8 computation on 4-bit weights."""
        parts = [self.weights.matrix(source) for source in sources]
        integers = np.concatenate([p[0] for p in parts])
        scales = np.concatenate([p[1] for p in parts]).astype(np.float32)
        packed = integers[..., 0::2] | (integers[..., 1::2] << 4)
        weight = name.lstrip("/").replace("/", ".")
        inputs = [x, self.data.add(f"{weight}.weight_Q4", packed), self.data.add(f"{weight}.weight_scales", scales)]
        rows, blocks = scales.shape
        return self.microsoft(
            "MatMulNBits", f"{name}/MatMul_Q4", inputs, outputs,
            N=rows, K=blocks * BLOCK, bits=4, block_size=BLOCK, accuracy_level=4,
        )  # fmt: skip

    def constant(self, name, value):
        return self.data.add(name, np.array(value, dtype=np.int64))

    def norm_weight(self, name, source):
        return self.data.add(name, self.weights.norm(source))


def write_onnx(path, weights):
    shape = weights.shape
    data = ExternalData(path.with_name(path.name + "_data"))
    graph = Graph(shape, weights, data)
    lengths = attention_lengths(graph)
    rotation = [data.add(name, table) for name, table in zip(("cos_cache", "sin_cache"), rotations(shape))]
    x, residual = embedding(graph), None
    for i in range(shape.layers):
        normed, residual = add_and_norm(graph, f"/model/layers.{i}/input_layernorm", (x, residual), f"{i}.attention_norm")
        x = attention(graph, i, normed, [*lengths, *rotation])
        name = f"/model/layers.{i}/post_attention_layernorm"
        normed, residual = add_and_norm(graph, name, (x, residual), f"{i}.mlp_norm")
        x = mlp(graph, i, normed)
    normed, _ = add_and_norm(graph, "/model/final_norm", (x, residual), "final_norm")
    graph.product("/lm_head", normed, ["embedding"], ["logits"])
    data.file.close()
    save(path, graph)


def attention_lengths(graph):
    """seqlens_k = ones in the mask − 1, total_sequence_length = length of the mask, both int32."""
    name = "/model/attn_mask_reformat"
    one, second = graph.constant("one", [1]), graph.constant("axis_one", 1)
    ones = graph.node("ReduceSum", f"{name}/ReduceSum", ["attention_mask", one], keepdims=0)
    last = graph.node("Sub", f"{name}/Sub", [ones, one])
    size = graph.node("Shape", f"{name}/Shape", ["attention_mask"])
    total = graph.node("Gather", f"{name}/Gather", [size, second], axis=0)
    return [
        graph.node("Cast", f"{name}/Sub/Cast", [last], to=TensorProto.INT32),
        graph.node("Cast", f"{name}/Gather/Cast", [total], to=TensorProto.INT32),
    ]


def embedding(graph):
    """Rows of the head's own 4-bit matrix: the initializers are made by the head's product, under these names."""
    shape = graph.constant("embedding_shape", [graph.shape.vocab, graph.shape.hidden // 2])
    rows = graph.node("Reshape", "/model/embed_tokens/Reshape", ["lm_head.weight_Q4", shape])
    return graph.microsoft(
        "GatherBlockQuantized", "/model/embed_tokens/GatherBlockQuantized", [rows, "input_ids", "lm_head.weight_scales"],
        bits=4, block_size=BLOCK, gather_axis=0, quantize_axis=1,
    )  # fmt: skip


def add_and_norm(graph, name, sums, source):
    """Normalises x, or x + residual; returns that and the sum itself, the next residual."""
    x, residual = sums
    weight = graph.norm_weight(name.lstrip("/").replace("/", ".") + ".weight", source)
    epsilon = graph.shape.norm_epsilon
    if residual is None:
        return graph.node("SimplifiedLayerNormalization", name, [x, weight], axis=-1, epsilon=epsilon, stash_type=1), x
    outputs = [f"{name}/output_0", "", "", f"{name}/output_3"]
    graph.microsoft("SkipSimplifiedLayerNormalization", name, [residual, x, weight], outputs, epsilon=epsilon)
    return outputs[0], outputs[3]


def attention(graph, i, x, lengths_and_rotation):
    s, name = graph.shape, f"/model/layers.{i}/attn"
    qkv = graph.product(f"{name}/qkv_proj", x, [f"{i}.{kind}" for kind in "qkv"])
    if s.qkv_bias:
        bias = np.concatenate([graph.weights.bias(f"{i}.{kind}") for kind in "qkv"])
        qkv = graph.node("Add", f"{name}/qkv_proj/Add", [qkv, graph.data.add(f"model.layers.{i}.attn.qkv_proj.bias", bias)])
    past = [f"past_key_values.{i}.key", f"past_key_values.{i}.value"]
    outputs = [f"{name}/GroupQueryAttention/output_0", f"present.{i}.key", f"present.{i}.value"]
    graph.microsoft(
        "GroupQueryAttention", f"{name}/GroupQueryAttention", [qkv, "", "", *past, *lengths_and_rotation], outputs,
        num_heads=s.heads, kv_num_heads=s.kv_heads, scale=s.head_dim**-0.5, do_rotary=1, rotary_interleaved=0,
    )  # fmt: skip
    return graph.product(f"{name}/o_proj", outputs[0], [f"{i}.o"])


def mlp(graph, i, x):
    name = f"/model/layers.{i}/mlp"
    gate = graph.product(f"{name}/gate_proj", x, [f"{i}.gate"])
    up = graph.product(f"{name}/up_proj", x, [f"{i}.up"])
    sigmoid = graph.node("Sigmoid", f"{name}/act_fn/Sigmoid", [gate])
    silu = graph.node("Mul", f"{name}/act_fn/Mul", [gate, sigmoid])
    return graph.product(f"{name}/down_proj", graph.node("Mul", f"{name}/Mul", [silu, up]), [f"{i}.down"])


def rotations(shape):
    """Cosines and sines of position × theta^(−2j / head_dim): two tables [context, head_dim / 2]."""
    frequencies = shape.rope_theta ** (-np.arange(0, shape.head_dim, 2) / shape.head_dim)
    angles = np.outer(np.arange(shape.context), frequencies)
    return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)


def save(path, graph):
    s = graph.shape

    def ids(name, length):
        return helper.make_tensor_value_info(name, TensorProto.INT64, ["batch_size", length])

    def cache(prefix, length):
        sizes = ["batch_size", s.kv_heads, length, s.head_dim]
        return [
            helper.make_tensor_value_info(f"{prefix}.{i}.{part}", TensorProto.FLOAT, sizes)
            for part in ("key", "value")
            for i in range(s.layers)
        ]

    sizes = ["batch_size", "sequence_length", s.vocab]
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, sizes)
    body = helper.make_graph(
        graph.nodes,
        s.name,
        [ids("input_ids", "sequence_length"), ids("attention_mask", "total_sequence_length")]
        + cache("past_key_values", "past_sequence_length"),
        [logits, *cache("present", "total_sequence_length")],
        initializer=graph.data.tensors,
    )
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    onnx.save(helper.make_model(body, opset_imports=opsets, ir_version=10, producer_name="spout-peers"), path)
