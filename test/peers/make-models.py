#!/usr/bin/env python3
"""Makes random-weight models of real shape, the same weights as ONNX (in a folder like a hub repository) and as GGUF.

    python3 test/peers/make-models.py                  # every shape, into test/peers/.models
    python3 test/peers/make-models.py smollm2-135m     # one

Needs numpy and onnx. The tokenizers are real ones from ../shared/data/tokenizers; without them there is nothing to make.
"""

import argparse
import json
import shutil
import sys
import time
from pathlib import Path

from make.gguf_file import write_gguf
from make.onnx_file import write_onnx
from make.shapes import SHAPES
from make.weights import Weights

HERE = Path(__file__).resolve().parent
TOKENIZERS = HERE.parents[2] / "shared" / "data" / "tokenizers"
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")


def main():
    parser = argparse.ArgumentParser(description="Make the models of the peer benchmark.")
    parser.add_argument("shapes", nargs="*", default=list(SHAPES), help=f"of {', '.join(SHAPES)}")
    parser.add_argument("--out", type=Path, default=HERE / ".models", help="where (default: %(default)s)")
    parser.add_argument("--tokenizers", type=Path, default=TOKENIZERS, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    for name in options.shapes:
        if name not in SHAPES:
            sys.exit(f"unknown shape: {name} (known: {', '.join(SHAPES)})")
    for name in options.shapes:
        make(SHAPES[name], options)


def make(shape, options):
    started = time.time()
    source = options.tokenizers / shape.tokenizer
    if not (source / "tokenizer.json").exists():
        sys.exit(f"tokenizer missing: {source}/tokenizer.json (the benchmark uses real tokenizers and makes none up)")
    folder = options.out / shape.name
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "onnx").mkdir(parents=True)
    for file in TOKENIZER_FILES:
        if (source / file).exists():
            shutil.copyfile(source / file, folder / file)
    write_json(folder / "generation_config.json", generation_config(shape))
    weights = Weights(shape, options.seed)
    write_onnx(folder / "onnx" / "model_q4.onnx", weights)
    write_gguf(folder / "model_q4_0.gguf", weights, json.loads((source / "tokenizer.json").read_text("utf-8")))
    write_json(folder / "config.json", config(shape))  # last: its presence says that the rest is whole
    print(f"{shape.name}: {folder} in {time.time() - started:.0f} s", file=sys.stderr)


def config(shape):
    return {
        "architectures": [{"llama": "LlamaForCausalLM", "qwen2": "Qwen2ForCausalLM"}[shape.arch]],
        "model_type": shape.arch,
        "hidden_size": shape.hidden,
        "intermediate_size": shape.mlp,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "head_dim": shape.head_dim,
        "hidden_act": "silu",
        "max_position_embeddings": shape.context,
        "rms_norm_eps": shape.norm_epsilon,
        "rope_theta": shape.rope_theta,
        "tie_word_embeddings": True,
        "vocab_size": shape.vocab,
        "bos_token_id": shape.bos,
        "eos_token_id": shape.eos[0],
        "transformers.js_config": {"use_external_data_format": {"model_q4.onnx": 1}},
    }


def generation_config(shape):
    return {"bos_token_id": shape.bos, "eos_token_id": list(shape.eos), "do_sample": False}


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
