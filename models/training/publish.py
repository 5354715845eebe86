#!/usr/bin/env python3
"""Measure the checkpoint in a folder and write what belongs beside it: accuracy.json, request files, model card.

    python publish.py ../demo
"""

import sys
from pathlib import Path

import torch

from accuracy import held_out_questions, measure
from card import write_card
from checkpoint import read_checkpoint, write_json
from request_files import write_request_files

QUESTIONS_PER_TASK = 300


def publish(folder):
    model, tokenizer = read_checkpoint(folder)
    table, wrong = measure(model, tokenizer, held_out_questions(seed=2048, per_task=QUESTIONS_PER_TASK))
    write_json(folder / "accuracy.json", table)
    write_request_files(folder, seed=512)
    write_card(folder, table)
    for prompt, expected, given in wrong:
        print(f"wrong: {prompt!r} -> {given!r}, not {expected!r}")
    for name, row in table.items():
        print(f"{name}: {row['right']}/{row['asked']}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    publish(Path(sys.argv[1]))
