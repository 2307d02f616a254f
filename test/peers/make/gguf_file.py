"""Writes the GGUF of a shape: magic, key-values, a table of tensors, then their data, each aligned to 32 bytes.

The weights are the ones of the ONNX file. What differs is only their order: q4_0 keeps element j of a block beside element
j + 16 in one byte, and llama.cpp rotates neighbouring rows of q and k for the `llama` architecture where the ONNX graph
rotates the two halves of a head.
"""

import struct

import numpy as np

ALIGNMENT = 32
UINT32, INT32, FLOAT32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9
F32, Q4_0 = 0, 2
MOSTLY_Q4_0 = 2
NORMAL, CONTROL, USER_DEFINED, UNUSED = 1, 3, 4, 5


def write_gguf(path, weights, tokenizer):
    tensors = list(tensor_table(weights))
    with open(path, "wb") as file:
        metadata = list(key_values(weights.shape, tokenizer))
        file.write(b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata)))
        for key, kind, value in metadata:
            file.write(string(key) + struct.pack("<I", kind) + encode(kind, value))
        offset = 0
        for name, rows, columns, kind, _ in tensors:
            sizes = [columns] if rows is None else [columns, rows]
            file.write(string(name) + struct.pack(f"<I{len(sizes)}QIQ", len(sizes), *sizes, kind, offset))
            offset += aligned(tensor_bytes(rows, columns, kind))
        pad(file)
        for _, rows, columns, kind, make in tensors:
            data = make()
            assert data.nbytes == tensor_bytes(rows, columns, kind)
            file.write(data.tobytes())
            pad(file)


def key_values(shape, tokenizer):
    a = shape.arch
    yield "general.architecture", STRING, a
    yield "general.name", STRING, f"{shape.name} shape, random weights"
    yield "general.file_type", UINT32, MOSTLY_Q4_0
    yield "general.quantization_version", UINT32, 2
    yield f"{a}.context_length", UINT32, shape.context
    yield f"{a}.embedding_length", UINT32, shape.hidden
    yield f"{a}.block_count", UINT32, shape.layers
    yield f"{a}.feed_forward_length", UINT32, shape.mlp
    yield f"{a}.attention.head_count", UINT32, shape.heads
    yield f"{a}.attention.head_count_kv", UINT32, shape.kv_heads
    yield f"{a}.attention.layer_norm_rms_epsilon", FLOAT32, shape.norm_epsilon
    yield f"{a}.rope.freq_base", FLOAT32, shape.rope_theta
    yield f"{a}.rope.dimension_count", UINT32, shape.head_dim
    yield f"{a}.vocab_size", UINT32, shape.vocab
    yield "tokenizer.ggml.model", STRING, "gpt2"
    yield "tokenizer.ggml.pre", STRING, shape.pre_tokenizer
    tokens, kinds, merges = vocabulary(shape, tokenizer)
    yield "tokenizer.ggml.tokens", ARRAY, (STRING, tokens)
    yield "tokenizer.ggml.token_type", ARRAY, (INT32, kinds)
    yield "tokenizer.ggml.merges", ARRAY, (STRING, merges)
    yield "tokenizer.ggml.bos_token_id", UINT32, shape.bos
    yield "tokenizer.ggml.eos_token_id", UINT32, shape.eos[0]
    yield "tokenizer.ggml.add_bos_token", BOOL, False


def vocabulary(shape, tokenizer):
    """Tokens and their kinds by id, filled up to the rows of the embedding, and the merges as `left right`."""
    tokens = [f"[PAD{id}]" for id in range(shape.vocab)]
    kinds = [UNUSED] * shape.vocab
    for token, id in tokenizer["model"]["vocab"].items():
        tokens[id], kinds[id] = token, NORMAL
    for added in tokenizer["added_tokens"]:
        tokens[added["id"]] = added["content"]
        kinds[added["id"]] = CONTROL if added["special"] else USER_DEFINED
    merges = [m if isinstance(m, str) else " ".join(m) for m in tokenizer["model"]["merges"]]
    return tokens, kinds, merges


def tensor_table(weights):
    """(name, rows or None for a vector, columns, kind, function that makes the data): nothing is drawn before it is written."""
    s = weights.shape

    def matrix(name, source, heads=None):
        rows, columns, _ = weights.sizes(source)
        return name, rows, columns, Q4_0, lambda: q4_0(interleaved(weights.matrix(source), heads))

    def vector(name, length, make):
        return name, None, length, F32, make

    rotated = {"q": s.heads, "k": s.kv_heads} if s.arch == "llama" else {}
    yield matrix("token_embd.weight", "embedding")
    for i in range(s.layers):
        yield vector(f"blk.{i}.attn_norm.weight", s.hidden, lambda i=i: weights.norm(f"{i}.attention_norm"))
        for kind in "qkv":
            yield matrix(f"blk.{i}.attn_{kind}.weight", f"{i}.{kind}", rotated.get(kind))
            if s.qkv_bias:
                rows = s.q_rows if kind == "q" else s.kv_rows
                yield vector(f"blk.{i}.attn_{kind}.bias", rows, lambda i=i, kind=kind: weights.bias(f"{i}.{kind}"))
        yield matrix(f"blk.{i}.attn_output.weight", f"{i}.o")
        yield vector(f"blk.{i}.ffn_norm.weight", s.hidden, lambda i=i: weights.norm(f"{i}.mlp_norm"))
        for kind in ("gate", "up", "down"):
            yield matrix(f"blk.{i}.ffn_{kind}.weight", f"{i}.{kind}")
    yield vector("output_norm.weight", s.hidden, lambda: weights.norm("final_norm"))


def interleaved(matrix, heads):
    """Rows of a head reordered from (first half, second half) to neighbouring pairs."""
    if heads is None:
        return matrix
    return tuple(
        part.reshape(heads, 2, -1, *part.shape[1:]).swapaxes(1, 2).reshape(part.shape) for part in matrix
    )


def q4_0(matrix):
    """One record of 18 bytes per block: the fp16 scale, then 16 bytes with elements j and j + 16."""
    integers, scales = matrix
    blocks = np.empty(scales.shape, dtype=[("scale", "<f2"), ("values", "u1", 16)])
    blocks["scale"] = scales
    blocks["values"] = integers[..., :16] | (integers[..., 16:] << 4)
    return blocks


def tensor_bytes(rows, columns, kind):
    return columns * 4 if kind == F32 else rows * columns // 32 * 18


def aligned(size):
    return -(-size // ALIGNMENT) * ALIGNMENT


def pad(file):
    file.write(bytes(aligned(file.tell()) - file.tell()))


def string(text):
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def encode(kind, value):
    if kind == STRING:
        return string(value)
    if kind == ARRAY:
        element, values = value
        return struct.pack("<IQ", element, len(values)) + b"".join(encode(element, v) for v in values)
    return struct.pack({UINT32: "<I", INT32: "<i", FLOAT32: "<f", BOOL: "<?"}[kind], value)
