"""A small Falcon of the 40B kind in PyTorch, for training: two norms, parallel attention and MLP, grouped KV heads, tied head."""

import torch
import torch.nn.functional as F
from torch import nn

HIDDEN, HEADS, KV_HEADS, LAYERS = 256, 4, 2, 5
HEAD_DIM = HIDDEN // HEADS
POSITIONS = 512
ROPE_THETA = 10000.0


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.query_key_value = nn.Linear(HIDDEN, (HEADS + 2 * KV_HEADS) * HEAD_DIM, bias=False)
        self.dense = nn.Linear(HIDDEN, HIDDEN, bias=False)

    def forward(self, x, cos, sin, hidden_future):
        batch, length, _ = x.shape
        # Rows per KV group: its query heads, its key head, its value head.
        fused = self.query_key_value(x).view(batch, length, KV_HEADS, HEADS // KV_HEADS + 2, HEAD_DIM)
        rotated = rotate(fused[:, :, :, :-1], cos[:length], sin[:length])
        q = rotated[:, :, :, :-1].flatten(2, 3).transpose(1, 2)  # [batch, HEADS, length, HEAD_DIM]
        k = rotated[:, :, :, -1].repeat_interleave(HEADS // KV_HEADS, 2).transpose(1, 2)
        v = fused[:, :, :, -1].repeat_interleave(HEADS // KV_HEADS, 2).transpose(1, 2)
        # Written out: for rows this short it trains faster on a CPU than the fused attention, whose backward pass is slow.
        scores = (q * HEAD_DIM**-0.5) @ k.transpose(-1, -2) + hidden_future[:length, :length].to(q.dtype)
        out = scores.softmax(-1).to(v.dtype) @ v
        return self.dense(out.transpose(1, 2).flatten(2))


class Mlp(nn.Module):
    def __init__(self):
        super().__init__()
        self.dense_h_to_4h = nn.Linear(HIDDEN, 4 * HIDDEN, bias=False)
        self.dense_4h_to_h = nn.Linear(4 * HIDDEN, HIDDEN, bias=False)

    def forward(self, x):
        return self.dense_4h_to_h(F.gelu(self.dense_h_to_4h(x)))


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.ln_attn, self.ln_mlp = nn.LayerNorm(HIDDEN), nn.LayerNorm(HIDDEN)
        self.self_attention, self.mlp = Attention(), Mlp()

    def forward(self, x, *tables):
        return x + self.self_attention(self.ln_attn(x), *tables) + self.mlp(self.ln_mlp(x))


class Falcon(nn.Module):
    """state_dict() has the tensor names of a Falcon checkpoint without the leading `transformer.`"""

    def __init__(self, vocab):
        super().__init__()
        self.word_embeddings = nn.Embedding(vocab, HIDDEN)
        self.h = nn.ModuleList(Layer() for _ in range(LAYERS))
        self.ln_f = nn.LayerNorm(HIDDEN)
        for name, weight in self.named_parameters():
            if weight.dim() == 2:
                # The last matrix of each branch starts at zero: every layer first passes the embeddings through.
                last = name.endswith(("self_attention.dense.weight", "dense_4h_to_h.weight"))
                nn.init.normal_(weight, std=0.0 if last else 0.05)
        angles = torch.arange(POSITIONS)[:, None] / ROPE_THETA ** (torch.arange(0, HEAD_DIM, 2) / HEAD_DIM)
        angles = torch.cat([angles, angles], -1)[:, None, None]  # [POSITIONS, 1, 1, HEAD_DIM]
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)
        self.register_buffer("hidden_future", torch.full((POSITIONS, POSITIONS), float("-inf")).triu(1), persistent=False)

    def forward(self, ids):
        """ids [batch, length], right-padded at most -> last hidden states [batch, length, HIDDEN]; causal, so pads change nothing."""
        x = self.word_embeddings(ids)
        for layer in self.h:
            x = layer(x, self.cos, self.sin, self.hidden_future)
        return self.ln_f(x)

    def logits(self, hidden):
        return F.linear(hidden, self.word_embeddings.weight)


def rotate(x, cos, sin):
    """Rotary position over the whole head, halves paired: x [batch, length, groups, heads, HEAD_DIM]."""
    half = HEAD_DIM // 2
    swapped = torch.cat([-x[..., half:], x[..., :half]], -1)
    return (x * cos + swapped * sin).to(x.dtype)
