"""Reads a checkpoint of ours with safetensors and torch, and goes on from it.

    python tests/parity/checkpoint_readers.py FOLDER

FOLDER is what CheckpointSample.Write in tests/dist/checkpoint_test.cc leaves.
"""

import json
import pathlib
import sys

import torch
from safetensors import safe_open
from safetensors.torch import load_file

SHAPES = {"b.ramp": (300_000,), "a.block": (3, 5, 7), "c.none": (0, 4)}


def expected(name, scale):
    """Element i of every tensor is i / 8 - 100, times what its kind is scaled by."""
    count = torch.Size(SHAPES[name]).numel()
    return ((torch.arange(count, dtype=torch.float32) / 8 - 100) * scale).reshape(SHAPES[name])


def check_values(folder):
    for file, kinds in {"model": {"": 1}, "ema": {"": 3},
                        "optimizer": {"exp_avg.": 2, "exp_avg_sq.": 4}}.items():
        tensors = load_file(folder / f"{file}.safetensors")
        wanted = {prefix + name: expected(name, scale)
                  for prefix, scale in kinds.items() for name in SHAPES}
        assert tensors.keys() == wanted.keys(), (file, tensors.keys())
        for name, tensor in wanted.items():
            assert torch.equal(tensors[name], tensor), (file, name)


def check_parts(folder):
    with safe_open(folder / "model.safetensors", framework="pt") as file:
        assert file.metadata() == {"format": "pt"}
        part = file.get_slice("b.ramp")[123_456:123_460]
    assert torch.equal(part, expected("b.ramp", 1)[123_456:123_460])


def check_training_goes_on(folder):
    """A torch module and optimiser take the state and make a step from it."""
    state = json.loads((folder / "state.json").read_text())
    module = torch.nn.Module()
    for name, shape in SHAPES.items():
        owner = module
        first, last = name.split(".")
        if not hasattr(owner, first):
            owner.add_module(first, torch.nn.Module())
        getattr(owner, first).register_parameter(last, torch.nn.Parameter(torch.zeros(shape)))
    module.load_state_dict(load_file(folder / "model.safetensors"), strict=True)
    optimizer = torch.optim.AdamW(module.parameters(), lr=0.1)
    moments = load_file(folder / "optimizer.safetensors")
    saved = optimizer.state_dict()
    saved["state"] = {
        i: {"step": torch.tensor(float(state["updates"])),
            "exp_avg": moments[f"exp_avg.{name}"], "exp_avg_sq": moments[f"exp_avg_sq.{name}"]}
        for i, (name, _) in enumerate(module.named_parameters())}
    optimizer.load_state_dict(saved)
    sum(p.sum() for p in module.parameters()).backward()
    before = module.a.block.detach().clone()
    optimizer.step()
    assert not torch.equal(module.a.block, before)


def main():
    folder = pathlib.Path(sys.argv[1])
    check_values(folder)
    check_parts(folder)
    check_training_goes_on(folder)
    print("read by safetensors and torch, to the bit")


if __name__ == "__main__":
    main()
