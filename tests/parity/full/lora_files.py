"""Check 10: LoRA files of ours in peft and diffusers, and theirs in ours.

    python tests/parity/full/lora_files.py          # a small pipeline
    python tests/parity/full/lora_files.py --full   # Stable Diffusion 1.5's size, rank 128

Builds a pipeline with random weights, lets build/release/tests/lora_peer (built with
`cmake --build build/release --target lora_peer`) write LoRAs of several kinds, loads
each with `load_lora_weights` and with peft, and asks for no missing and no unexpected
key and the same output. Prints a line a file; ends 1 when one fails.
"""

import argparse
import json
import logging
import pathlib
import subprocess
import sys
import tempfile

import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict
from peft.utils import load_peft_weights, set_peft_model_state_dict
from safetensors.torch import load_file, save_file
from transformers import CLIPTextConfig, CLIPTextModel

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from lora_training import FULL, TINY  # noqa: E402
from mixed_values import fill_mixed, mixed  # noqa: E402

PEER = HERE.parents[2] / "build/release/tests/lora_peer"
ATTENTION = ["to_q", "to_k", "to_v", "to_out.0"]
TOLERANCE = 1e-5


def case(name, **changes):
    return dict(name=name, targets=["attention"], rank=4, alpha=4, rslora=False, rank_pattern=[],
                alpha_pattern=[], text_rank=0, text_targets=["attention"], scale=0.2) | changes


SMALL_CASES = [
    case("attention"),
    case("alpha", alpha=1),
    case("feed-forward", targets=["attention+ff"], alpha=8),
    case("conv", targets=["attention+ff", "conv"], alpha=2),
    case("rslora", rslora=True, alpha=8),
    case("patterns", rank_pattern=["attn2.to_k:2"], alpha_pattern=["to_v:1"]),
    case("text", text_rank=3, text_targets=["attention+ff"], alpha=4),
]
FULL_CASES = [case("rank 128", rank=128, alpha=128, scale=0.02),
              case("text, rank 128", targets=["attention+ff"], rank=128, alpha=128, scale=0.02, text_rank=128)]


def components(full):
    text = dict(hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12) if full \
        else dict(hidden_size=6, intermediate_size=12, num_hidden_layers=2, num_attention_heads=2, vocab_size=100)
    unet = UNet2DConditionModel(**(FULL if full else TINY))
    fill_mixed(list(unet.named_parameters()), 0.04 if full else 0.3)
    vae = AutoencoderKL(block_out_channels=[8], norm_num_groups=4, latent_channels=4)
    return dict(unet=unet, text_encoder=CLIPTextModel(CLIPTextConfig(**text)), vae=vae, tokenizer=None,
                scheduler=DDIMScheduler(), safety_checker=None, feature_extractor=None)


def lora_tensors(model):
    return sum("lora_" in name for name, _ in model.named_parameters())


class Warnings(logging.Handler):
    def __init__(self):
        super().__init__(logging.WARNING)
        self.lines = []

    def emit(self, record):
        # Said of every file without a text encoder's layers.
        text = record.getMessage()
        if "No LoRA keys associated to CLIPTextModel" not in text:
            self.lines.append(text)


class Check:
    def __init__(self, folder, parts):
        self.folder, self.parts, self.failed, self.count = folder, parts, 0, 0
        self.inputs = load_file(folder / "inputs.safetensors")
        self.plain = self.forward(parts["unet"])
        self.heard = Warnings()
        for name in ("diffusers", "transformers", "peft"):
            logging.getLogger(name).addHandler(self.heard)

    def forward(self, unet):
        with torch.no_grad():
            return unet(self.inputs["sample"], self.inputs["timesteps"], self.inputs["text"],
                        return_dict=False)[0]

    def say(self, what, output, wanted, problems):
        error = ((output - wanted).abs().max() / wanted.abs().max()).item()
        # The control: a LoRA that was not there would show.
        effect = ((output - self.plain).abs().max() / wanted.abs().max()).item()
        good = error < TOLERANCE and effect > 100 * TOLERANCE and not problems
        self.count += 1
        self.failed += not good
        print(f"check 10: {what}: max error {error:.2g} (tolerance {TOLERANCE:g}) of a change of {effect:.2g}, "
              f"{len(problems)} key problems {'PASS' if good else 'FAIL'}")
        for problem in problems[:5]:
            print("   ", problem[:300])

    def problems(self, file, loaded):
        """Keys of the file that the model did not take, and the other way round."""
        count = sum(".alpha" not in k for k in load_file(file))
        wrong = [] if count == loaded else [f"{count} tensors in the file, {loaded} in the model"]
        wrong += self.heard.lines
        self.heard.lines = []
        return wrong

    def with_diffusers(self, name, dialect, file):
        pipe = StableDiffusionPipeline(**self.parts, requires_safety_checker=False)
        path = self.folder / "ours" / name / dialect
        pipe.load_lora_weights(path, weight_name=file)
        loaded = lora_tensors(pipe.unet)
        if any("text" in k or "lora_te" in k for k in load_file(path / file)):
            loaded += lora_tensors(pipe.text_encoder)
        problems = self.problems(path / file, loaded)
        wanted = load_file(self.folder / "ours" / name / "output.safetensors")["output"]
        self.say(f"{name}, ours as {dialect} in diffusers", self.forward(pipe.unet), wanted, problems)
        pipe.unload_lora_weights()

    def with_peft(self, name):
        path = self.folder / "ours" / name / "peft"
        unet = UNet2DConditionModel.from_config(self.parts["unet"].config)
        unet.load_state_dict(self.parts["unet"].state_dict())
        model = PeftModel.from_pretrained(unet, path)
        result = set_peft_model_state_dict(model, load_peft_weights(path))
        problems = list(result.unexpected_keys) + [k for k in result.missing_keys if "lora" in k]
        problems += self.problems(path / "adapter_model.safetensors", lora_tensors(model))
        wanted = load_file(self.folder / "ours" / name / "output.safetensors")["output"]
        self.say(f"{name}, ours as peft in peft", self.forward(model), wanted, problems)

    def theirs(self):
        for path in sorted((self.folder / "theirs").iterdir()):
            seen = load_file(path / "seen.safetensors")["output"]
            self.say(f"{path.name} in ours", seen, load_file(path / "wanted.safetensors")["output"], [])


def write_theirs(folder, parts, check, full):
    """What peft and diffusers write, for the C++ to read."""
    unet = UNet2DConditionModel.from_config(parts["unet"].config)
    unet.load_state_dict(parts["unet"].state_dict())
    model = get_peft_model(unet, LoraConfig(r=4, lora_alpha=6, target_modules=ATTENTION + ["conv1", "proj_in"]))
    fill_mixed([(n, p) for n, p in model.named_parameters() if "lora_" in n], 0.02 if full else 0.2)
    path = folder / "theirs" / "peft"
    model.save_pretrained(path)
    save_file({"output": check.forward(model).contiguous()}, path / "wanted.safetensors")
    path = folder / "theirs" / "diffusers"
    state = {k.removeprefix("base_model.model."): v for k, v in get_peft_model_state_dict(model).items()}
    StableDiffusionPipeline.save_lora_weights(
        path, unet_lora_layers=state, unet_lora_adapter_metadata=model.peft_config["default"].to_dict())
    save_file({"output": check.forward(model).contiguous()}, path / "wanted.safetensors")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--full", action="store_true")
    full = parser.parse_args().full
    cases = FULL_CASES if full else SMALL_CASES
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        parts = components(full)
        parts["unet"].save_pretrained(folder / "unet")
        parts["text_encoder"].save_pretrained(folder / "text_encoder")
        side = (16, 16) if full else (8, 6)
        save_file({"sample": mixed(7, (1, 4, *side)), "timesteps": torch.tensor([421]),
                   "text": mixed(8, (1, 77 if full else 5, parts["unet"].config.cross_attention_dim))},
                  folder / "inputs.safetensors")
        (folder / "cases.json").write_text(json.dumps(cases))
        check = Check(folder, parts)
        write_theirs(folder, parts, check, full)
        subprocess.run([PEER, folder], check=True)
        for one in cases:
            check.with_diffusers(one["name"], "diffusers", "pytorch_lora_weights.safetensors")
            check.with_diffusers(one["name"], "kohya", "lora.safetensors")
            check.with_peft(one["name"])
        check.theirs()
        print(f"check 10: {check.count - check.failed} of {check.count} files PASS")
    sys.exit(check.failed > 0)


if __name__ == "__main__":
    main()
