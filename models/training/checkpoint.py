"""A trained model as a Falcon checkpoint directory in the original RefinedWeb form: written, and read back."""

import json

from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from falcon import Falcon, HEADS, HIDDEN, KV_HEADS, LAYERS, POSITIONS
from tokenizer import END, END_ID, SPECIALS

# What users call the model by; the service reads it from the config.
MODEL_NAME = "eyrie-demo"


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def write_checkpoint(model, tokenizer, folder):
    tensors = {f"transformer.{name}": weight.detach().bfloat16().contiguous() for name, weight in model.state_dict().items()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "model.safetensors").chmod(0o644)
    write_json(folder / "config.json", {
        "_name_or_path": MODEL_NAME,
        "alibi": False, "apply_residual_connection_post_layernorm": False, "architectures": ["RWForCausalLM"],
        "attention_dropout": 0.0, "bias": False, "bos_token_id": END_ID, "eos_token_id": END_ID, "hidden_dropout": 0.0,
        "hidden_size": HIDDEN, "initializer_range": 0.02, "layer_norm_epsilon": 1e-05, "model_type": "RefinedWeb",
        "n_head": HEADS, "n_head_kv": KV_HEADS, "n_layer": LAYERS, "parallel_attn": True, "torch_dtype": "bfloat16",
        "use_cache": True, "vocab_size": tokenizer.get_vocab_size()})
    write_json(folder / "generation_config.json", {"bos_token_id": END_ID, "eos_token_id": END_ID})
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    write_json(folder / "tokenizer_config.json", {
        "add_prefix_space": False, "eos_token": END, "model_max_length": POSITIONS, "tokenizer_class": "PreTrainedTokenizerFast"})
    write_json(folder / "special_tokens_map.json", {"additional_special_tokens": SPECIALS[:-1], "eos_token": END})


def read_checkpoint(folder):
    """(model in fp32 holding exactly the stored bf16 weights, tokenizer)."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    model = Falcon(tokenizer.get_vocab_size())
    stored = load_file(folder / "model.safetensors")
    model.load_state_dict({name.removeprefix("transformer."): weight.float() for name, weight in stored.items()})
    return model, tokenizer
