"""Writes one tiny Falcon checkpoint in every form that torch.save gives it, and as safetensors to compare with."""

import json
import pathlib

import torch
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent
HIDDEN, HEADS, KV_HEADS, HEAD_DIM, FFN, VOCABULARY = 16, 2, 1, 8, 24, 40


def state_dict() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(7)

    def noise(*shape: int, center: float = 0.0, spread: float = 1.0) -> torch.Tensor:
        values = center + spread * (torch.rand(*shape, generator=generator) - 0.5)
        # Exact in float16 and in bfloat16, so that every form holds the same numbers.
        return values.to(torch.bfloat16).to(torch.float32).clamp(-4, 4).mul(256).round().div(256).to(torch.bfloat16).float()

    layer = "transformer.h.0."
    shapes = {
        "transformer.word_embeddings.weight": (VOCABULARY, HIDDEN),
        layer + "self_attention.query_key_value.weight": ((HEADS + 2 * KV_HEADS) * HEAD_DIM, HIDDEN),
        layer + "self_attention.dense.weight": (HIDDEN, HIDDEN),
        layer + "mlp.dense_h_to_4h.weight": (FFN, HIDDEN),
        layer + "mlp.dense_4h_to_h.weight": (HIDDEN, FFN),
    }
    tensors = {name: noise(*shape) for name, shape in shapes.items()}
    for norm in (layer + "ln_attn", layer + "ln_mlp", "transformer.ln_f"):
        tensors[norm + ".weight"] = noise(HIDDEN, center=1.0, spread=0.5)
        tensors[norm + ".bias"] = noise(HIDDEN, spread=0.5)
    return tensors


def folder(name: str) -> pathlib.Path:
    path = HERE / name
    path.mkdir(exist_ok=True)
    return path


def main() -> None:
    tensors = state_dict()
    save_file(tensors, folder("safetensors") / "model.safetensors")
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        name = str(dtype).removeprefix("torch.")
        torch.save({key: value.to(dtype) for key, value in tensors.items()}, folder(name) / "pytorch_model.bin")

    ordered = torch.nn.Module()
    for index, value in enumerate(tensors.values()):
        ordered.register_parameter(f"p{index}", torch.nn.Parameter(value))
    # An OrderedDict with metadata as attribute (BUILD), and parameters as values (_rebuild_parameter).
    by_name = ordered.state_dict(keep_vars=True)
    for index, key in enumerate(tensors):
        by_name[key] = by_name.pop(f"p{index}")
    torch.save(by_name, folder("parameters") / "pytorch_model.bin")

    # All tensors as views into one storage, at offsets that are not zero.
    storage = torch.cat([torch.full((5,), 99.0)] + [value.flatten() for value in tensors.values()])
    views, at = {}, 5
    for key, value in tensors.items():
        views[key] = storage[at : at + value.numel()].view(value.shape)
        at += value.numel()
    torch.save(views, folder("views") / "pytorch_model.bin")

    sharded, names = folder("sharded"), list(tensors)
    shards = [names[:5], names[5:]]
    weight_map = {}
    for number, part in enumerate(shards, start=1):
        file = f"pytorch_model-{number:05}-of-{len(shards):05}.bin"
        torch.save({key: tensors[key] for key in part}, sharded / file)
        weight_map |= {key: file for key in part}
    index = {"metadata": {"total_size": 4 * sum(value.numel() for value in tensors.values())}, "weight_map": weight_map}
    (sharded / "pytorch_model.bin.index.json").write_text(json.dumps(index, indent=2) + "\n")

    # Refused on purpose: a transposed tensor, the format before torch 1.6, a pickle that would run code.
    torch.save(tensors | {"transformer.ln_f.bias": tensors["transformer.word_embeddings.weight"].T}, folder("refused") / "transposed.bin")
    torch.save(tensors, folder("refused") / "old-format.bin", _use_new_zipfile_serialization=False)
    torch.save(tensors | {"transformer.ln_f.bias": RunsCode()}, folder("refused") / "runs-code.bin")


class RunsCode:
    def __reduce__(self):
        return (print, ("this must never be printed by a reader",))


if __name__ == "__main__":
    main()
