"""The description both files are made from: one record per model shape, and where its tokenizer lies."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Shape:
    name: str
    arch: str  # 'llama' or 'qwen2': the model_type of config.json and the architecture of the GGUF
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    mlp: int
    vocab: int
    rope_theta: float
    norm_epsilon: float
    context: int
    qkv_bias: bool
    tokenizer: str  # folder under ../shared/data/tokenizers
    pre_tokenizer: str  # llama.cpp's name of the way text is cut before BPE
    bos: int
    eos: tuple[int, ...]

    @property
    def q_rows(self):
        return self.heads * self.head_dim

    @property
    def kv_rows(self):
        return self.kv_heads * self.head_dim


SHAPES = {
    "smollm2-135m": Shape(
        name="smollm2-135m", arch="llama", hidden=576, layers=30, heads=9, kv_heads=3, head_dim=64, mlp=1536,
        vocab=49152, rope_theta=100000.0, norm_epsilon=1e-5, context=8192, qkv_bias=False,
        tokenizer="smollm2", pre_tokenizer="smollm", bos=0, eos=(0, 2),
    ),
    "qwen2.5-0.5b": Shape(
        name="qwen2.5-0.5b", arch="qwen2", hidden=896, layers=24, heads=14, kv_heads=2, head_dim=64, mlp=4864,
        vocab=151936, rope_theta=1000000.0, norm_epsilon=1e-6, context=32768, qkv_bias=True,
        tokenizer="qwen2.5", pre_tokenizer="qwen2", bos=151643, eos=(151645, 151643),
    ),
}  # fmt: skip
