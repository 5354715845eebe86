#!/usr/bin/env python3
"""Two layers of Falcon-40B's width with seeded random weights: what we compute on the card against what transformers does.

    python3 slice.py --program EYRIE_GPU [--dtypes bfloat16,fp8] [--folder FOLDER] [--device cuda|cpu] [--tiny]

Writes a checkpoint, asks transformers for log-probabilities and greedy tokens in float32 and bfloat16, then the program. One JSON line per type:
how far the log-probabilities of the prompts are from those in float32 (mean and largest), in how many positions the best token is the same, and how
many greedy tokens agree. transformers' own bfloat16 is the yardstick. The program's line about the load is passed on. With `--tiny`,
for tests, transformers runs on the CPU.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from safetensors.torch import save_file

GREEDY_TOKENS = 24
PROMPTS = (5, 64, 257, 300, 511)


def config_of(tiny):
    hidden, heads, kv_heads, ffn, vocab = (256, 4, 2, 1024, 512) if tiny else (8192, 128, 8, 32768, 65024)
    return {
        "model_type": "falcon", "architectures": ["FalconForCausalLM"], "vocab_size": vocab, "hidden_size": hidden, "num_hidden_layers": 2,
        "num_attention_heads": heads, "num_kv_heads": kv_heads, "ffn_hidden_size": ffn, "new_decoder_architecture": True, "parallel_attn": True, "bias": False,
        "alibi": False, "tie_word_embeddings": True, "layer_norm_epsilon": 1e-5, "bos_token_id": 11, "eos_token_id": 11,
    }  # fmt: skip


def write_checkpoint(folder, config, device):
    random = torch.Generator(device).manual_seed(1)
    hidden, ffn, vocab = config["hidden_size"], config["ffn_hidden_size"], config["vocab_size"]
    qkv = (config["num_attention_heads"] + 2 * config["num_kv_heads"]) * hidden // config["num_attention_heads"]

    def matrix(n, k, spread):
        return (torch.randn(n, k, generator=random, device=device) * spread).to(torch.bfloat16).cpu()

    def norm(name):
        weight = 1 + 0.1 * torch.randn(hidden, generator=random, device=device)
        bias = 0.1 * torch.randn(hidden, generator=random, device=device)
        return {f"{name}.weight": weight.to(torch.bfloat16).cpu(), f"{name}.bias": bias.to(torch.bfloat16).cpu()}

    # Small embeddings, so that the layers and not the last token alone decide what comes next.
    tensors = {"transformer.word_embeddings.weight": matrix(vocab, hidden, 0.02), **norm("transformer.ln_f")}
    for i in range(config["num_hidden_layers"]):
        at = f"transformer.h.{i}"
        tensors |= norm(f"{at}.ln_attn") | norm(f"{at}.ln_mlp")
        for name, n, k in (("self_attention.query_key_value", qkv, hidden), ("self_attention.dense", hidden, hidden), ("mlp.dense_h_to_4h", ffn, hidden), ("mlp.dense_4h_to_h", hidden, ffn)):
            tensors[f"{at}.{name}.weight"] = matrix(n, k, k**-0.5)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config))


def prompts_for(config):
    random = torch.Generator().manual_seed(2)
    return [torch.randint(12, config["vocab_size"], (length,), generator=random).tolist() for length in PROMPTS]


@torch.no_grad()
def ask_transformers(folder, prompts, dtype, device):
    from transformers import FalconForCausalLM

    model = FalconForCausalLM.from_pretrained(folder, dtype=dtype).to(device).eval()
    answers = []
    for prompt in prompts:
        ids = torch.tensor([prompt], device=device)
        logprobs = torch.log_softmax(model(ids).logits[0].float(), -1)
        told = logprobs[:-1].gather(1, ids[0, 1:, None])[:, 0]
        greedy = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=GREEDY_TOKENS, do_sample=False, eos_token_id=None, pad_token_id=0)
        answers.append({"logprobs": told.tolist(), "best": logprobs[:-1].argmax(-1).tolist(), "greedy": greedy[0, len(prompt) :].tolist()})
    del model
    if device == "cuda":
        torch.cuda.empty_cache()
    return answers


def ask_program(program, folder, prompts, dtype, device, config):
    lines = "".join(json.dumps({"id": i, "prompt": p, "max_tokens": GREEDY_TOKENS, "ignore_eos": 1, "logprobs": 1, "prompt_logprobs": 1}) + "\n" for i, p in enumerate(prompts))
    shape = {"layers": "num_hidden_layers", "query-heads": "num_attention_heads", "kv-heads": "num_kv_heads", "ffn": "ffn_hidden_size", "vocab": "vocab_size"}
    words = [program, "run", str(folder), "--form", "40b", "--dtype", dtype, "--device", device, "--slot-tokens", "1024", "--slots", "8"]
    for name, key in shape.items():
        words += [f"--{name}", str(config[key])]
    done = subprocess.run(words, input=lines, capture_output=True, text=True)
    items = [json.loads(line) for line in done.stdout.splitlines()]
    if done.returncode != 0:
        # A line that failed says so among the results, all else on standard error.
        told = next((item["message"] for item in items if "message" in item), done.stderr[-300:])
        raise RuntimeError(f"{program} run ended with {done.returncode}: {told}")
    for item in items:
        if item["item"] == "load":
            print(json.dumps({**item, "dtype": dtype}), flush=True)
    results = sorted((item for item in items if item["item"] == "result"), key=lambda item: item["id"])
    # Best tokens stand for every position but the first, which nothing comes before.
    return [{"logprobs": r["prompt_logprobs"][1:], "best": r["prompt_top_ids"][1:], "greedy": r["token_ids"]} for r in results]


def compare(engine, dtype, got, want):
    differences = [abs(a - b) for g, w in zip(got, want, strict=True) for a, b in zip(g["logprobs"], w["logprobs"], strict=True)]
    best = [a == b for g, w in zip(got, want) for a, b in zip(g["best"], w["best"], strict=True)]
    # What follows the first token that differs has another context.
    greedy = sum(next((i for i, (a, b) in enumerate(zip(g["greedy"], w["greedy"])) if a != b), len(w["greedy"])) for g, w in zip(got, want))
    return {
        "item": "slice", "engine": engine, "dtype": dtype, "reference": "transformers float32", "positions": len(best),
        "mean_difference": sum(differences) / len(differences), "largest_difference": max(differences), "agreement": sum(best) / len(best),
        "greedy_before_first_difference": greedy, "greedy_of": GREEDY_TOKENS * len(want),
    }  # fmt: skip


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--dtypes", default="bfloat16,fp8")
    parser.add_argument("--folder")
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--tiny", action="store_true")
    asked = parser.parse_args()
    folder = Path(asked.folder or tempfile.mkdtemp(prefix="eyrie-slice-"))
    folder.mkdir(parents=True, exist_ok=True)
    config, status = config_of(asked.tiny), 0
    torch_device = "cpu" if asked.tiny else asked.device
    try:
        write_checkpoint(folder, config, torch_device)
        prompts = prompts_for(config)
        want = ask_transformers(folder, prompts, torch.float32, torch_device)
        try:
            print(json.dumps(compare("transformers", "bfloat16", ask_transformers(folder, prompts, torch.bfloat16, torch_device), want)), flush=True)
        except Exception as error:  # the yardstick alone
            print(json.dumps({"item": "error", "code": "slice", "message": f"transformers bfloat16: {type(error).__name__}: {error}"}), flush=True)
            status = 1
        for dtype in asked.dtypes.split(","):
            try:
                print(json.dumps(compare("eyrie", dtype, ask_program(asked.program, folder, prompts, dtype, asked.device, config), want)), flush=True)
            except Exception as error:  # the other types may work
                print(json.dumps({"item": "error", "code": "slice", "message": f"{dtype}: {type(error).__name__}: {error}"}), flush=True)
                status = 1
    finally:
        if not asked.folder:
            shutil.rmtree(folder, ignore_errors=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
