#!/usr/bin/env python3
"""Make four tiny seeded Falcon checkpoints and what transformers answers on them.

    pip install torch transformers safetensors tokenizers numpy
    python make_goldens.py            writes 40b/ 7b/ 11b/ rw/ and 40b.json 7b.json 11b.json rw.json alibi.json beside this file

The weights are seeded noise, so the answers mean nothing; every part of the forward pass moves them. The reference is
the in-library FalconForCausalLM in fp32: batch 1, no padding, SDPA attention, no output_attentions. It reads the same
safetensors file that is committed, through a temporary config in the in-library form, so the file itself is covered.
"""

import json
import tempfile
from pathlib import Path

import safetensors
import torch
import transformers
from safetensors.torch import save_file
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import FalconConfig, FalconForCausalLM
from transformers.models.falcon.modeling_falcon import build_alibi_tensor

HERE = Path(__file__).parent
VOCAB = 320
PROMPT_LENGTHS = [1, 2, 17, 64, 65, 200, 1100]
GREEDY_TOKENS = 24
SPECIALS = [f">>{name}<<" for name in (
    "TITLE", "ABSTRACT", "INTRODUCTION", "SUMMARY", "COMMENT", "ANSWER", "QUESTION", "DOMAIN", "PREFIX", "SUFFIX", "MIDDLE",
)] + ["<|endoftext|>"]

TOKENIZER_TEXT = ["the falcon and the other bird and the sender in the station", "here is another letter on the intention of the reader",
                  "\n<human>: where are the rest of them?\n<bot>: in the other mountain, at 12 and at 2048."]

# What transformers must know (in-library names), how the file stores it, and what a real repository's config.json of
# that kind looks like. `ffn_hidden_size` is below 4 x hidden in two of them to keep the files small.
KINDS = {
    "40b": dict(
        seed=4001, dtype=torch.float16, stored_head="equal",
        library=dict(hidden_size=256, num_attention_heads=4, num_kv_heads=2, ffn_hidden_size=256, new_decoder_architecture=True,
                     multi_query=False, parallel_attn=True),
        repository=dict(model_type="RefinedWeb", architectures=["RWForCausalLM"], alibi=False, bias=False, parallel_attn=True,
                        n_layer=2, n_head=4, n_head_kv=2, hidden_size=256, ffn_hidden_size=256,
                        bos_token_id=1, eos_token_id=2, torch_dtype="float16"),
    ),
    "7b": dict(
        seed=7001, dtype=torch.bfloat16, stored_head="none",
        library=dict(hidden_size=192, num_attention_heads=3, multi_query=True, parallel_attn=True),
        repository=dict(model_type="RefinedWebModel", architectures=["RWForCausalLM"], alibi=False, bias=False, multi_query=True,
                        parallel_attn=True, n_layer=2, n_head=3, hidden_size=192,
                        bos_token_id=11, eos_token_id=11, torch_dtype="bfloat16"),
    ),
    "11b": dict(
        seed=1102, dtype=torch.bfloat16, stored_head="own",
        library=dict(hidden_size=256, num_attention_heads=2, num_kv_heads=1, ffn_hidden_size=256, new_decoder_architecture=True,
                     multi_query=False, parallel_attn=True, num_ln_in_parallel_attn=1, tie_word_embeddings=False,
                     max_position_embeddings=8192, rope_parameters={"rope_type": "default", "rope_theta": 500042.0}),
        repository=dict(model_type="falcon", architectures=["FalconForCausalLM"], activation="gelu", alibi=False, bias=False,
                        ffn_hidden_size=256, hidden_size=256, max_position_embeddings=8192, multi_query=True,
                        new_decoder_architecture=True, num_attention_heads=2, num_hidden_layers=2, num_kv_heads=1,
                        num_ln_in_parallel_attn=1, parallel_attn=True, rope_scaling=None, rope_theta=500042.0,
                        tie_word_embeddings=False, bos_token_id=11, eos_token_id=11, torch_dtype="bfloat16"),
    ),
    "rw": dict(
        seed=1001, dtype=torch.float32, stored_head="none",
        library=dict(hidden_size=128, num_attention_heads=2, multi_query=False, parallel_attn=False, bias=True, alibi=True),
        repository=dict(model_type="falcon", architectures=["FalconForCausalLM"], alibi=True, bias=True, hidden_size=128,
                        multi_query=False, new_decoder_architecture=False, num_attention_heads=2, num_hidden_layers=2,
                        parallel_attn=False, bos_token_id=11, eos_token_id=11, torch_dtype="float32"),
    ),
}


def library_config(kind):
    return FalconConfig(vocab_size=VOCAB, num_hidden_layers=2, bos_token_id=11, eos_token_id=11, **KINDS[kind]["library"])


def seeded_weights(kind):
    """Name -> tensor in the stored dtype, every value exact in bf16, as FalconForCausalLM names and shapes them."""
    gen = torch.Generator().manual_seed(KINDS[kind]["seed"])
    tensors = {}
    for name, like in FalconForCausalLM(library_config(kind)).state_dict().items():
        noise = torch.randn(like.shape, generator=gen, dtype=torch.float32)
        is_norm = "ln_" in name or "layernorm" in name
        if is_norm and name.endswith(".weight"):
            value = 1 + 0.3 * noise  # distinct per norm, so that swapped norms show
        elif name.endswith(".bias"):
            value = 0.2 * noise
        elif "embeddings" in name or "lm_head" in name:
            value = noise * (2.5 / like.shape[1] ** 0.5)  # logits spread by about 2.5
            value[11] *= 0.1  # the end token is never the likeliest, so no greedy run stops early
        else:
            value = noise * (1.3 / like.shape[1] ** 0.5)
        value[value.abs() < 2.0**-14] = 0  # below the normal range of F16
        tensors[name] = value.to(torch.bfloat16).to(KINDS[kind]["dtype"])
    head = KINDS[kind]["stored_head"]
    if head == "equal":
        tensors["lm_head.weight"] = tensors["transformer.word_embeddings.weight"].clone()
    elif head == "none":
        tensors.pop("lm_head.weight", None)
    return tensors


def byte_level_tokenizer():
    """Falcon's pre-tokenizers and special ids over a small BPE, so that text prompts work on these checkpoints too."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Punctuation(behavior="contiguous"),
        pre_tokenizers.ByteLevel(add_prefix_space=False),
        pre_tokenizers.Digits(individual_digits=False),
        pre_tokenizers.Split(pattern=Regex("[0-9][0-9][0-9]"), behavior="isolated"),
    ])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(TOKENIZER_TEXT, trainers.BpeTrainer(
        vocab_size=VOCAB, special_tokens=SPECIALS, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    assert tokenizer.get_vocab_size() == VOCAB and tokenizer.token_to_id("<|endoftext|>") == 11
    return tokenizer


def write_checkpoint(kind, tokenizer):
    folder = HERE / kind
    folder.mkdir(exist_ok=True)
    save_file(seeded_weights(kind), folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "model.safetensors").chmod(0o644)
    config = dict(KINDS[kind]["repository"], vocab_size=VOCAB, layer_norm_epsilon=1e-5, initializer_range=0.02,
                  attention_dropout=0.0, hidden_dropout=0.0, apply_residual_connection_post_layernorm=False, use_cache=True)
    write_json(folder / "config.json", dict(sorted(config.items())), indent=2)
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    write_json(folder / "tokenizer_config.json", {
        "add_prefix_space": False, "eos_token": "<|endoftext|>", "model_max_length": 8192 if kind == "11b" else 2048,
        "tokenizer_class": "PreTrainedTokenizerFast"}, indent=2)
    return folder


def load_reference(kind, dtype):
    """The committed safetensors file through transformers' own loader; the temporary folder only changes config names."""
    with tempfile.TemporaryDirectory() as folder:
        library_config(kind).save_pretrained(folder)
        (Path(folder) / "model.safetensors").symlink_to((HERE / kind / "model.safetensors").resolve())
        model, report = FalconForCausalLM.from_pretrained(
            folder, dtype=dtype, attn_implementation="sdpa", output_loading_info=True)
    assert not report["unexpected_keys"] and not report["mismatched_keys"], report
    assert set(report["missing_keys"]) <= {"lm_head.weight"}, report
    return model.eval()


@torch.no_grad()
def all_logprobs(model, ids):
    """[len(ids), VOCAB] natural-log probabilities in fp32; row i is the distribution of token i + 1."""
    return torch.log_softmax(model(torch.tensor([ids])).logits[0].float(), -1)


def greedy(model, ids):
    """GREEDY_TOKENS ids and log-probs, full forward each step (no cache to trust), and the smallest lead over the second."""
    out, logprobs, lead = list(ids), [], float("inf")
    for _ in range(GREEDY_TOKENS):
        best = all_logprobs(model, out)[-1].topk(2)
        lead = min(lead, float(best.values[0] - best.values[1]))
        out.append(int(best.indices[0]))
        logprobs.append(digits7(best.values[0]))
    return out[len(ids):], logprobs, lead


def digits7(x):
    return float(f"{float(x):.7g}")


def golden(kind):
    exact, half = load_reference(kind, torch.float32), load_reference(kind, torch.bfloat16)
    gen = torch.Generator().manual_seed(KINDS[kind]["seed"] + 1)
    prompts, errors = [], []
    for length in PROMPT_LENGTHS:
        ids = torch.randint(12, VOCAB, (length,), generator=gen).tolist()
        table, half_table = all_logprobs(exact, ids), all_logprobs(half, ids)
        rows, next_ids = torch.arange(length - 1), torch.tensor(ids[1:], dtype=torch.long)
        own = table[rows, next_ids]
        error = (half_table[rows, next_ids] - own).abs()
        errors.append(error)
        top5 = {}
        for position in sorted({1, 2, length // 2, length - 1, length}):
            if 1 <= position <= length:
                best = table[position - 1].topk(5)
                top5[position] = [[int(i), digits7(v)] for i, v in zip(best.indices, best.values)]
        greedy_ids, greedy_logprobs, lead = greedy(exact, ids)
        assert lead > 2e-3 and 11 not in greedy_ids, f"{kind}, {length} tokens: choose another seed (lead {lead})"
        prompts.append(dict(
            length=length, token_ids=ids, logprobs=[None] + [digits7(x) for x in own], top5=top5, greedy_ids=greedy_ids,
            greedy_logprobs=greedy_logprobs, greedy_lead_min=digits7(lead),
            bf16_error_mean=digits7(error.mean()) if length > 1 else None))
    return dict(
        kind=kind, made_with=dict(torch=torch.__version__, transformers=transformers.__version__, safetensors=safetensors.__version__),
        bf16_error_mean=digits7(torch.cat(errors).mean()), prompts=prompts)


def alibi_table():
    """bias[head][position] before the 1/sqrt(head_dim), as transformers rounds it (slope and product in bf16)."""
    positions = [0, 1, 2, 3, 127, 255, 256, 257, 259, 511, 513, 1000, 1023, 1025, 2047]
    tables = {}
    for heads in (2, 3, 16, 24, 32, 64):
        bias = build_alibi_tensor(torch.ones(1, 2048, dtype=torch.long), heads, torch.float32)[:, 0, :]
        tables[heads] = [[digits7(bias[h, p]) for p in positions] for h in range(heads)]
    return dict(positions=positions, bias_by_head_count=tables)


def write_json(path, value, indent=None):
    path.write_text(json.dumps(value, indent=indent, separators=(",", ": ") if indent else (",", ":")) + "\n")


def main():
    torch.set_num_threads(1)
    transformers.utils.logging.disable_progress_bar()
    tokenizer = byte_level_tokenizer()
    write_json(HERE / "alibi.json", alibi_table())
    for kind in KINDS:
        folder = write_checkpoint(kind, tokenizer)
        result = golden(kind)
        write_json(HERE / f"{kind}.json", result)
        lead = min(p["greedy_lead_min"] for p in result["prompts"])
        print(f"{kind}: {(folder / 'model.safetensors').stat().st_size / 1e6:.2f} MB, "
              f"transformers bf16 error {result['bf16_error_mean']:.4f}, smallest greedy lead {lead:.4f}")


if __name__ == "__main__":
    main()
