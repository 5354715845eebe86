#!/usr/bin/env python3
"""Decode speed of plain PyTorch at Falcon-40B's width, to compare ours with on the same card in the same run.

    python3 torch_decode.py [--layers 12] [--batch 128,256] [--context 512] [--transformers-batch 64,128] [--tiny]

Random weights. A step is `layers` layers and the head with a static cache of keys and values, replayed from one CUDA graph: in bfloat16, and with
row-wise FP8 matrices (torch._scaled_mm). Then transformers' own Falcon on the same layers. One JSON line per item; an item that fails says
why and the rest goes on. `--tiny` runs small sizes on the CPU, to test the script.
"""

import argparse
import json
import sys
import time

import torch
import torch.nn.functional as F

FP8_LARGEST = 448.0


class Sizes:
    def __init__(self, tiny):
        self.hidden, self.heads, self.kv_heads, self.head_dim, self.ffn, self.vocab = (256, 8, 2, 32, 1024, 512) if tiny else (8192, 128, 8, 64, 32768, 65024)
        self.qkv = (self.heads + 2 * self.kv_heads) * self.head_dim


def say(**fields):
    print(json.dumps({"item": "baseline", **fields}), flush=True)


def attempt(work, **fields):
    """Says what `work` measured, or why it could not."""
    try:
        say(**fields, **work())
    except Exception as error:  # out of memory, a missing operation: the rest may work
        say(**fields, error=f"{type(error).__name__}: {error}"[:400])
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def quantise(x):
    """Rows of e4m3 with a float32 scale each."""
    scale = x.abs().amax(dim=-1, keepdim=True).float().clamp(min=1e-12) / FP8_LARGEST
    return (x.float() / scale).to(torch.float8_e4m3fn), scale


class Linear:
    def __init__(self, n, k, device, fp8):
        self.weight = torch.randn(n, k, device=device, dtype=torch.bfloat16) * k**-0.5
        self.scale = None
        if fp8:
            codes, scale = quantise(self.weight)
            self.weight, self.scale = codes.t(), scale.t().contiguous()

    def __call__(self, x):
        if self.scale is None:
            return F.linear(x, self.weight)
        codes, scale = quantise(x)
        return torch._scaled_mm(codes, self.weight, scale_a=scale, scale_b=self.scale, out_dtype=torch.bfloat16, use_fast_accum=False)


class Layer:
    def __init__(self, sizes, rows, positions, device, fp8):
        s = self.sizes = sizes
        self.norms = [(torch.ones(s.hidden, device=device, dtype=torch.bfloat16), torch.zeros(s.hidden, device=device, dtype=torch.bfloat16)) for _ in range(2)]
        self.qkv = Linear(s.qkv, s.hidden, device, fp8)
        self.dense = Linear(s.hidden, s.heads * s.head_dim, device, fp8)
        self.up = Linear(s.ffn, s.hidden, device, fp8)
        self.down = Linear(s.hidden, s.ffn, device, fp8)
        self.keys, self.values = (torch.randn(rows, s.kv_heads, positions, s.head_dim, device=device, dtype=torch.bfloat16) for _ in range(2))

    def norm(self, which, x):
        weight, bias = self.norms[which]
        return F.layer_norm(x, (self.sizes.hidden,), weight, bias, 1e-5)

    def __call__(self, x, position, cos, sin, context):
        s = self.sizes
        q, k, v = self.qkv(self.norm(0, x)).view(-1, s.heads + 2 * s.kv_heads, s.head_dim).split((s.heads, s.kv_heads, s.kv_heads), dim=1)
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        self.keys.index_copy_(2, position, k[:, :, None])
        self.values.index_copy_(2, position, v[:, :, None])
        seen = context + 1
        attended = F.scaled_dot_product_attention(q[:, :, None], self.keys[:, :, :seen], self.values[:, :, :seen], enable_gqa=True)
        return x + self.dense(attended.reshape(x.shape[0], -1)) + self.down(F.gelu(self.up(self.norm(1, x))))


def rotate(x, cos, sin):
    half = x.shape[-1] // 2
    return x * cos + torch.cat((-x[..., half:], x[..., :half]), -1) * sin


class Step:
    """One decode step for `rows` sequences that hold `context` tokens each."""

    def __init__(self, sizes, layers, rows, context, device, fp8):
        self.context = context
        self.layers = [Layer(sizes, rows, context + 1, device, fp8) for _ in range(layers)]
        self.head = Linear(sizes.vocab, sizes.hidden, device, False)
        self.embedding = torch.randn(sizes.vocab, sizes.hidden, device=device, dtype=torch.bfloat16)
        self.tokens = torch.zeros(rows, device=device, dtype=torch.long)
        self.position = torch.full((1,), context, device=device, dtype=torch.long)
        angles = context * 10000.0 ** (-torch.arange(0, sizes.head_dim, 2, device=device).float() / sizes.head_dim)
        self.cos, self.sin = (torch.cat((f(angles), f(angles))).to(torch.bfloat16) for f in (torch.cos, torch.sin))

    def __call__(self):
        x = self.embedding[self.tokens]
        for layer in self.layers:
            x = layer(x, self.position, self.cos, self.sin, self.context)
        self.tokens.copy_(self.head(self.layers[0].norm(0, x)).argmax(-1))


def in_a_graph(step):
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(2):
            step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


def best_ms(step, device, repeats, rounds=3):
    def wait():
        if device == "cuda":
            torch.cuda.synchronize()

    step()
    best = float("inf")
    for _ in range(rounds):
        wait()
        started = time.perf_counter()
        for _ in range(repeats):
            step()
        wait()
        best = min(best, (time.perf_counter() - started) * 1e3 / repeats)
    return best


def decode(sizes, layers, rows, context, device, fp8):
    step = Step(sizes, layers, rows, context, device, fp8)
    ms = best_ms(in_a_graph(step) if device == "cuda" else step, device, 20 if device == "cuda" else 1)
    return {"step_ms": round(ms, 4), "tokens_per_s": round(rows / ms * 1e3, 1)}


def transformers_decode(sizes, layers, rows, context, device):
    from transformers import FalconConfig, FalconForCausalLM

    config = FalconConfig(vocab_size=sizes.vocab, hidden_size=sizes.hidden, num_hidden_layers=layers, num_attention_heads=sizes.heads, num_kv_heads=sizes.kv_heads,
                          ffn_hidden_size=sizes.ffn, new_decoder_architecture=True, parallel_attn=True, bias=False, alibi=False)  # fmt: skip
    with torch.device(device):
        model = FalconForCausalLM._from_config(config, dtype=torch.bfloat16).eval()
    ids = torch.randint(0, sizes.vocab, (rows, context), device=device)
    # Logits of the last token alone: those of all would not fit.
    cache = model(ids, use_cache=True, logits_to_keep=1).past_key_values
    ms = best_ms(lambda: model(ids[:, :1], past_key_values=cache, use_cache=True), device, 5 if device == "cuda" else 1, 2)
    return {"step_ms": round(ms, 4), "tokens_per_s": round(rows / ms * 1e3, 1)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--batch", default="128,256")
    parser.add_argument("--context", default="512")
    parser.add_argument("--transformers-batch", default="64,128")
    parser.add_argument("--tiny", action="store_true")
    asked = parser.parse_args()
    device = "cpu" if asked.tiny else "cuda"
    if device == "cuda" and not torch.cuda.is_available():
        sys.exit("torch_decode.py: torch sees no card; --tiny runs small sizes on the CPU")
    numbers = lambda text: [int(part) for part in text.split(",") if part]
    sizes = Sizes(asked.tiny)
    torch.manual_seed(0)
    torch.set_grad_enabled(False)
    for context in numbers(asked.context):
        for fp8 in (True, False):
            for rows in numbers(asked.batch):
                fields = {"engine": f"torch {torch.__version__}", "dtype": "fp8" if fp8 else "bfloat16", "layers": asked.layers, "batch": rows, "context": context}
                attempt(lambda: decode(sizes, asked.layers, rows, context, device, fp8), **fields)
        for rows in numbers(asked.transformers_batch):
            fields = {"engine": "transformers", "dtype": "bfloat16", "layers": asked.layers, "batch": rows, "context": context}
            attempt(lambda: transformers_decode(sizes, asked.layers, rows, context, device), **fields)


if __name__ == "__main__":
    main()
