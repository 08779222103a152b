"""Names of parameters in diffusers' models and in files of the original code.

    python tests/parity/original_names.py            # the committed fixture
    python tests/parity/original_names.py --full F   # every name of SD 1.5, to F;
                              # then ORIGINAL_NAMES=F tests/models_io_test

The original names are laid out here as the original constructors number their
blocks, and diffusers' own converters say which parameter each becomes. In the
small fixture, two levels are left out, and so are biases and most names inside
of transformers, which both spell alike.
"""

import argparse
import json
import pathlib
import re

import torch
from diffusers import AutoencoderKL, ControlNetModel, UNet2DConditionModel
from diffusers.loaders import single_file_utils as peer
from transformers import CLIPTextConfig, CLIPTextModel

HERE = pathlib.Path(__file__).parent
TRANSFORMER = [f"transformer_blocks.0.{n}" for n in (
    "attn1.to_k", "attn1.to_out.0", "attn1.to_q", "attn1.to_v", "attn2.to_k", "attn2.to_out.0",
    "attn2.to_q", "attn2.to_v", "ff.net.0.proj", "ff.net.2", "norm1", "norm2", "norm3")]


def resnet(block, skip):
    names = ["in_layers.0", "in_layers.2", "emb_layers.1", "out_layers.0", "out_layers.3"]
    return [f"{block}.{n}" for n in names + ["skip_connection"] * skip]


def attention(block):
    return [f"{block}.{n}" for n in ["norm", "proj_in", "proj_out", *TRANSFORMER]]


def way_down(attends, layers, widths):
    """openai's UNetModel up to its middle block."""
    names, block, before = ["time_embed.0", "time_embed.2", "input_blocks.0.0"], 1, widths[0]
    for level, width in enumerate(widths):
        for _ in range(layers):
            names += resnet(f"input_blocks.{block}.0", before != width)
            names += attention(f"input_blocks.{block}.1") * attends[level]
            block, before = block + 1, width
        if level + 1 < len(widths):
            names, block = names + [f"input_blocks.{block}.0.op"], block + 1
    return names + resnet("middle_block.0", False) + attention("middle_block.1") + resnet(
        "middle_block.2", False), block


def original_unet(attends, layers, widths):
    names, _ = way_down(attends, layers, widths)
    block = 0
    for level in reversed(range(len(widths))):
        for layer in range(layers + 1):
            names += resnet(f"output_blocks.{block}.0", True)
            names += attention(f"output_blocks.{block}.1") * attends[level]
            if level and layer == layers:
                names.append(f"output_blocks.{block}.{1 + attends[level]}.conv")
            block += 1
    return names + ["out.0", "out.2"]


def original_controlnet(attends, layers, widths):
    names, blocks = way_down(attends, layers, widths)
    return (names + [f"zero_convs.{i}.0" for i in range(blocks)] + ["middle_block_out.0"]
            + [f"input_hint_block.{i}" for i in range(0, 16, 2)])


def original_vae(layers, widths):
    def block(name, before, after):
        return [f"{name}.{n}" for n in ["norm1", "conv1", "norm2", "conv2"]
                + ["nin_shortcut"] * (before != after)]

    def middle(side):
        names = block(f"{side}.mid.block_1", 1, 1) + block(f"{side}.mid.block_2", 1, 1)
        return names + [f"{side}.mid.attn_1.{n}" for n in ("norm", "q", "k", "v", "proj_out")]

    names = ["quant_conv", "post_quant_conv"]
    for side in ("encoder", "decoder"):
        names += [f"{side}.conv_in", f"{side}.norm_out", f"{side}.conv_out", *middle(side)]
    before = widths[0]
    for level, width in enumerate(widths):
        for layer in range(layers):
            names += block(f"encoder.down.{level}.block.{layer}", before, width)
            before = width
        names += [f"encoder.down.{level}.downsample.conv"] * (level + 1 < len(widths))
    for level in reversed(range(len(widths))):
        for layer in range(layers + 1):
            names += block(f"decoder.up.{level}.block.{layer}", before, widths[level])
            before = widths[level]
        names += [f"decoder.up.{level}.upsample.conv"] * (level > 0)
    return names


def original_open_clip(layers):
    parts = ["ln_1", "ln_2", "attn.out_proj", "mlp.c_fc", "mlp.c_proj"]
    names = ["token_embedding.weight", "positional_embedding", "ln_final.weight", "ln_final.bias"]
    for i in range(layers):
        block = f"transformer.resblocks.{i}"
        names += [f"{block}.{p}.{kind}" for p in parts for kind in ("weight", "bias")]
        names += [f"{block}.attn.in_proj_weight", f"{block}.attn.in_proj_bias"]
    return names


def with_kinds(names):
    """The parameters of modules that all have both or, for some, a weight alone."""
    return [f"{n}.{kind}" for n in names for kind in ("weight", "bias")
            if kind == "weight" or not re.search(r"to_[qkv]$", n)]


def tagged(names, prefix, shape=(1, 1, 1, 1)):
    return {prefix + n: torch.full(shape, float(i)) for i, n in enumerate(names)}


def matched(own, converted, names):
    """{own name: original name}; converters must have found all of them."""
    pairs = {k: names[int(v.flatten()[0])] for k, v in converted.items()}
    assert set(pairs) == set(own), set(pairs) ^ set(own)
    assert sorted(set(pairs.values())) == sorted(set(names)), set(names) - set(pairs.values())
    return pairs


def open_clip_pairs(layers):
    width = 3
    model = CLIPTextModel(CLIPTextConfig(
        vocab_size=8, hidden_size=width, intermediate_size=6, num_hidden_layers=layers,
        num_attention_heads=1))
    names = original_open_clip(layers)
    prefix = "cond_stage_model.model."
    state = tagged(names, prefix, (3 * width, 1))
    for i, name in enumerate(names):  # which third a row is of
        if "in_proj" in name:
            state[prefix + name] = torch.cat(
                [torch.full((width, 1), i + third / 4) for third in range(3)])
    converted = peer.convert_open_clip_checkpoint(model, state, prefix)
    pairs = {}
    for own, value in converted.items():
        value = float(value.flatten()[0])
        fused = "in_proj" in names[int(value)]
        pairs[own] = [names[int(value)], int(value % 1 * 4) if fused else -1]
    bare = [k for k in model.state_dict() if "position_ids" not in k]
    own = [k if k.startswith("text_model.") else "text_model." + k for k in bare]
    assert set(pairs) == set(own), set(pairs) ^ set(own)
    return pairs


def pairs_of(widths, attends, layers):
    size = dict(block_out_channels=widths, layers_per_block=layers, norm_num_groups=2)
    down = ["CrossAttnDownBlock2D" if a else "DownBlock2D" for a in attends]
    up = ["CrossAttnUpBlock2D" if a else "UpBlock2D" for a in reversed(attends)]
    text = dict(cross_attention_dim=4, attention_head_dim=2)
    unet = UNet2DConditionModel(down_block_types=down, up_block_types=up, **size, **text)
    control = ControlNetModel(down_block_types=down, **size, **text)
    vae = AutoencoderKL(down_block_types=["DownEncoderBlock2D"] * len(widths),
                        up_block_types=["UpDecoderBlock2D"] * len(widths), **size)
    names = {"unet": with_kinds(original_unet(attends, layers, widths)),
             "controlnet": with_kinds(original_controlnet(attends, layers, widths)),
             "vae": with_kinds(original_vae(layers, widths))}
    names["vae"] += [n.replace(".weight", ".bias") for n in names["vae"]
                     if re.search(r"attn_1.[qkv].weight$", n)]
    names = {part: list(dict.fromkeys(n)) for part, n in names.items()}
    return {
        "unet": matched(unet.state_dict(), peer.convert_ldm_unet_checkpoint(
            tagged(names["unet"], "model.diffusion_model."), unet.config), names["unet"]),
        "controlnet": matched(control.state_dict(), peer.convert_controlnet_checkpoint(
            tagged(names["controlnet"], "control_model."), control.config), names["controlnet"]),
        "vae": matched(vae.state_dict(), peer.convert_ldm_vae_checkpoint(
            tagged(names["vae"], "first_stage_model."), vae.config), names["vae"]),
        "open_clip": open_clip_pairs(layers)}


def kept(name):
    inner = "transformer_blocks" in name and "attn2.to_k" not in name
    return not inner and not name.endswith(".bias")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--full", type=pathlib.Path)
    full = parser.parse_args().full
    if full:
        pairs = pairs_of([4, 8, 16, 16], [1, 1, 1, 0], 2)
    else:
        pairs = pairs_of([4, 8], [1, 0], 2)
        pairs = {part: {k: v for k, v in names.items() if kept(k)} for part, names in pairs.items()}
    path = full or HERE / "fixtures" / "original_names.json"
    path.write_text(json.dumps(pairs, separators=(",", ":"), sort_keys=True))
    print(path, path.stat().st_size, "bytes,", {k: len(v) for k, v in pairs.items()})


if __name__ == "__main__":
    main()
