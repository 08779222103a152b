"""Writes the fixtures that tests/models/lora compares LoRA with.

    python tests/parity/lora.py

A small network with diffusers' module names gets additions from peft (every
parameter drawn anew, as zero up matrices hide bugs). Written to
tests/parity/fixtures/lora:

    base.safetensors          the network, its inputs and its output without LoRA
    CASE/                     what peft's save_pretrained writes, and expected.safetensors:
                              output, merged output, some merged weights, gradients
    diffusers/, kohya/        the case "patterns" and the case "alpha" as the other
                              two kinds of file
"""

import json
import pathlib
import shutil

import torch
from diffusers import StableDiffusionPipeline
from diffusers.utils.state_dict_utils import convert_state_dict_to_kohya
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict
from safetensors.torch import save_file
from torch import nn

FIXTURES = pathlib.Path(__file__).parent / "fixtures" / "lora"

ATTENTION = ["to_q", "to_k", "to_v", "to_out.0"]
FEED_FORWARD = ["proj_in", "proj_out", "ff.net.0.proj", "ff.net.2"]
CONV = ["resnets.0.conv1", "time_emb_proj", "downsamplers.0.conv"]

CASES = {
    "attention": dict(r=4, lora_alpha=4, target_modules=ATTENTION),
    "alpha": dict(r=2, lora_alpha=1, target_modules=ATTENTION + FEED_FORWARD),
    "conv": dict(r=3, lora_alpha=8, target_modules=CONV),
    "rslora": dict(r=4, lora_alpha=8, use_rslora=True, target_modules=ATTENTION + CONV),
    "patterns": dict(r=2, lora_alpha=2, target_modules=ATTENTION + ["proj_in", "conv1"],
                     rank_pattern={"attn2.to_k": 3, "conv1": 1}, alpha_pattern={"to_v": 1, "conv1": 0.5}),
}


class Attention(nn.Module):
    def __init__(self, width, context):
        super().__init__()
        self.to_q = nn.Linear(width, width, bias=False)
        self.to_k = nn.Linear(context, width, bias=False)
        self.to_v = nn.Linear(context, width, bias=False)
        self.to_out = nn.ModuleList([nn.Linear(width, width)])

    def forward(self, x, context):
        weights = (self.to_q(x) @ self.to_k(context).transpose(1, 2)).softmax(-1)
        return self.to_out[0](weights @ self.to_v(context))


class Gate(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.proj = nn.Linear(width, 2 * width)

    def forward(self, x):
        return torch.tanh(self.proj(x))


class Block(nn.Module):
    def __init__(self, width, context):
        super().__init__()
        self.attn1 = Attention(width, width)
        self.attn2 = Attention(width, context)
        self.ff = nn.Module()
        self.ff.net = nn.ModuleList([Gate(width), nn.Identity(), nn.Linear(2 * width, width)])

    def forward(self, x, context):
        x = x + self.attn1(x, x)
        x = x + self.attn2(x, context)
        return x + self.ff.net[2](self.ff.net[0](x))


class Transformer(nn.Module):
    def __init__(self, width, context):
        super().__init__()
        self.proj_in = nn.Conv2d(width, width, 1)
        self.transformer_blocks = nn.ModuleList([Block(width, context)])
        self.proj_out = nn.Conv2d(width, width, 1)

    def forward(self, x, context):
        y = self.proj_in(x)
        tokens = y.flatten(2).transpose(1, 2)
        tokens = self.transformer_blocks[0](tokens, context)
        return x + self.proj_out(tokens.transpose(1, 2).reshape(y.shape))


class Stage(nn.Module):
    def __init__(self, width, context, emb):
        super().__init__()
        resnet, down = nn.Module(), nn.Module()
        resnet.conv1 = nn.Conv2d(width, width, 3, padding=1)
        resnet.time_emb_proj = nn.Linear(emb, width)
        down.conv = nn.Conv2d(width, width, 3, stride=2, padding=1)
        self.resnets = nn.ModuleList([resnet])
        self.attentions = nn.ModuleList([Transformer(width, context)])
        self.downsamplers = nn.ModuleList([down])

    def forward(self, x, context, emb):
        resnet = self.resnets[0]
        x = x + torch.tanh(resnet.conv1(x)) + resnet.time_emb_proj(emb)[:, :, None, None]
        return self.downsamplers[0].conv(self.attentions[0](x, context))


class TinyNet(nn.Module):
    def __init__(self, width=6, context=5, emb=3):
        super().__init__()
        self.conv_in = nn.Conv2d(2, width, 3, padding=1)
        self.down_blocks = nn.ModuleList([Stage(width, context, emb)])

    def forward(self, x, context, emb):
        return self.down_blocks[0](self.conv_in(x), context, emb)


def base_network():
    torch.manual_seed(0)
    network = TinyNet()
    for parameter in network.parameters():
        nn.init.normal_(parameter, 0, 0.25)
    return network


def inputs():
    torch.manual_seed(1)
    return torch.randn(2, 2, 5, 4), torch.randn(2, 3, 5), torch.randn(2, 3)


def with_lora(config):
    network = get_peft_model(base_network(), LoraConfig(**config))
    torch.manual_seed(2)
    for name, parameter in network.named_parameters():
        if "lora_" in name:
            nn.init.normal_(parameter, 0, 0.25)
    return network


def plain(tensors):
    return {k: v.detach().contiguous().clone() for k, v in tensors.items()}


def expected(network):
    output = network(*inputs())
    output.square().mean().backward()
    tensors = {"output": output}
    for name, parameter in network.named_parameters():
        if parameter.grad is not None:
            key = name.removeprefix("base_model.model.").replace(".default.", ".")
            tensors["grad." + key] = parameter.grad
    merged = network.merge_and_unload()
    tensors["merged_output"] = merged(*inputs())
    stage = merged.down_blocks[0]
    tensors["merged.to_v"] = stage.attentions[0].transformer_blocks[0].attn2.to_v.weight
    tensors["merged.conv1"] = stage.resnets[0].conv1.weight
    return plain(tensors)


def write_peft(name, config):
    folder = FIXTURES / name
    network = with_lora(config)
    network.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    save_file(expected(network), folder / "expected.safetensors")


def write_diffusers(config):
    network = with_lora(config)
    state = get_peft_model_state_dict(network)
    state = {k.removeprefix("base_model.model."): v for k, v in state.items()}
    StableDiffusionPipeline.save_lora_weights(
        FIXTURES / "diffusers", unet_lora_layers=state,
        unet_lora_adapter_metadata=network.peft_config["default"].to_dict())


def write_kohya(config):
    network = with_lora(config)
    state = get_peft_model_state_dict(network)
    state = {k.replace("base_model.model.", "unet."): v for k, v in state.items()}
    state = convert_state_dict_to_kohya(state)
    for key in state:
        # The converter writes the rank; kohya's own files have the true alpha.
        if key.endswith(".alpha"):
            state[key] = torch.tensor(float(config["lora_alpha"]))
    (FIXTURES / "kohya").mkdir()
    save_file(plain(state), FIXTURES / "kohya" / "lora.safetensors")


def main():
    shutil.rmtree(FIXTURES, ignore_errors=True)
    FIXTURES.mkdir(parents=True)
    network = base_network()
    x, context, emb = inputs()
    tensors = {"param." + k: v for k, v in network.state_dict().items()}
    tensors |= {"x": x, "context": context, "emb": emb, "output": network(x, context, emb)}
    save_file(plain(tensors), FIXTURES / "base.safetensors")
    for name, config in CASES.items():
        write_peft(name, config)
    write_diffusers(CASES["patterns"])
    write_kohya(CASES["alpha"])
    sizes = [f.stat().st_size for f in FIXTURES.rglob("*") if f.is_file()]
    print(len(sizes), "files,", sum(sizes), "bytes")


if __name__ == "__main__":
    main()
