#!/usr/bin/env python3
"""Train the demo model from nothing: a Falcon of the 40B kind, about 3.7 million weights, on one or two CPU cores.

    pip install torch safetensors tokenizers numpy
    python train_demo.py                       writes demo/: checkpoint, tokenizer, accuracy.json, requests, model card

Everything is made up by training/ from fixed seeds; no data is read. The number of steps is fixed, so a run on the same kind of
CPU, with the same versions and threads, can be repeated; elsewhere the model comes out a little different.
"""

import argparse
import math
import random
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F

sys.path.insert(0, str(Path(__file__).parent / "training"))
from batches import training_batches  # noqa: E402
from checkpoint import read_checkpoint, write_checkpoint  # noqa: E402
from conversations import ask_any  # noqa: E402
from falcon import Falcon  # noqa: E402
from publish import publish  # noqa: E402
from tokenizer import train_tokenizer  # noqa: E402

SEED = 11
VOCAB = 512
# Each phase starts from the checkpoint that the one before it wrote. The first learns copying and spelling from many kinds of
# question, the second gives more room to sums and differences, which take longest, the third to what was weakest after them.
PHASES = [
    dict(steps=2500, tokens=2048, highest_rate=4e-3, arithmetic_weight=1.0, shares={
        "plus": 0.14, "minus": 0.17, "sentiment": 0.10, "pick out": 0.13, "backwards": 0.16, "spell": 0.04, "letters": 0.06,
        "capitals": 0.04, "sort": 0.09, "opposite": 0.03, "count": 0.04}),
    dict(steps=2200, tokens=2048, highest_rate=3e-3, arithmetic_weight=2.0, shares={
        "plus": 0.22, "minus": 0.28, "sentiment": 0.06, "pick out": 0.12, "backwards": 0.14, "spell": 0.05, "sort": 0.11,
        "opposite": 0.02}),
    dict(steps=4000, tokens=2048, highest_rate=2.5e-3, arithmetic_weight=2.0, shares={
        "plus": 0.17, "minus": 0.25, "sentiment": 0.06, "pick out": 0.10, "backwards": 0.14, "spell": 0.09, "sort": 0.17,
        "opposite": 0.02}),
]
WARMUP_STEPS = 100
WEIGHT_DECAY = 0.05


def learning_rate(step, steps, highest):
    """Linear warm-up, then half a cosine down to a fiftieth."""
    if step < WARMUP_STEPS:
        return highest * (step + 1) / WARMUP_STEPS
    done = (step - WARMUP_STEPS) / (steps - WARMUP_STEPS)
    return highest * (0.02 + 0.98 * (1 + math.cos(math.pi * done)) / 2)


def optimizers_for(model):
    """Muon for the matrices between the layers, AdamW for embeddings and norms."""
    matrices = [p for name, p in model.named_parameters() if p.dim() == 2 and not name.startswith("word_embeddings")]
    others = [p for name, p in model.named_parameters() if p.dim() == 1 or name.startswith("word_embeddings")]
    return [
        torch.optim.Muon(matrices, weight_decay=WEIGHT_DECAY, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, weight_decay=0.0, betas=(0.9, 0.98), fused=True),
    ]


def train_phase(number, model, tokenizer):
    phase, start = PHASES[number], time.time()
    steps, optimizers = phase["steps"], optimizers_for(model)
    batches = training_batches(tokenizer, SEED + number, phase["tokens"], phase["shares"], phase["arithmetic_weight"])
    for step, (ids, weights) in zip(range(steps), batches):
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(step, steps, phase["highest_rate"])
        counted = weights[:, 1:] > 0
        with torch.autocast("cpu", torch.bfloat16):
            logits = model.logits(model(ids[:, :-1])[counted])
        losses = F.cross_entropy(logits.float(), ids[:, 1:][counted], reduction="none")
        weight = weights[:, 1:][counted]
        ((losses * weight).sum() / weight.sum()).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
        if step % 50 == 49:
            print(f"phase {number + 1}, step {step + 1}/{steps}, answer loss {losses[weight >= 1].mean():.3f}, {time.time() - start:.0f} s", flush=True)


def main():
    parser = argparse.ArgumentParser(description="Train the demo model.")
    parser.add_argument("--first-phase", type=int, default=1, choices=range(1, len(PHASES) + 1),
                        help="begin with this phase, from the checkpoint in the output folder")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "demo")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(SEED)
    args.out.mkdir(parents=True, exist_ok=True)

    if args.first_phase == 1:
        rng = random.Random(SEED)
        asked = (ask_any(rng, PHASES[0]["shares"]) for _ in range(20000))
        tokenizer = train_tokenizer([f"<human>: {question}\n<bot>: {answer}\n" for _, question, answer in asked], VOCAB)
        write_checkpoint(Falcon(VOCAB), tokenizer, args.out)
    for number in range(args.first_phase - 1, len(PHASES)):
        model, tokenizer = read_checkpoint(args.out)
        train_phase(number, model, tokenizer)
        write_checkpoint(model, tokenizer, args.out)
    publish(args.out)


if __name__ == "__main__":
    main()
