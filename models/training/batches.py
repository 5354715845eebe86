"""An endless stream of training batches of rows of like length, so that little of a batch is padding."""

import random

import torch

from conversations import training_row
from tokenizer import END_ID

ROWS_PER_POOL = 8192


def training_batches(tokenizer, seed, tokens_per_batch, shares, arithmetic_weight):
    """Yields (ids [rows, length] int64, weights [rows, length] fp32): how much predicting each id counts, 0 for padding."""
    rng = random.Random(seed)
    while True:
        pool = sorted((training_row(rng, tokenizer, shares, arithmetic_weight) for _ in range(ROWS_PER_POOL)), key=lambda row: len(row[0]))
        batches, start = [], 0
        while start < len(pool):
            end = start + 1
            while end < len(pool) and (end + 1 - start) * len(pool[end][0]) <= tokens_per_batch:
                end += 1
            batches.append(pool[start:end])
            start = end
        rng.shuffle(batches)
        for rows in batches:
            width = max(len(ids) for ids, _ in rows)
            ids = torch.tensor([ids + [END_ID] * (width - len(ids)) for ids, _ in rows])
            weights = torch.tensor([weights + [0.0] * (width - len(weights)) for _, weights in rows])
            yield ids, weights
