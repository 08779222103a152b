"""SAM at full size: Meta's classes and Hugging Face's on random weights, against
this program on the files that they write.

    python tests/parity/full/sam.py [vit_b|vit_l|vit_h] [BUILD]

BUILD: folder of the release build (build/release). ViT-L and H are loaded and
their shapes compared; ViT-B is run. Prints a line a check; ends 1 when one
fails. Needs 6 GB of memory for ViT-B, 12 for H, and as much disk in TMPDIR.
"""
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from safetensors.torch import save_file
from segment_anything import sam_model_registry
from transformers import SamConfig, SamModel

ROOT = Path(__file__).resolve().parents[3]
del sys.path[0]  # this folder, whose sam.py is this file
sys.path.insert(0, str(ROOT / "tests/parity"))
from sam import POSITION, decode, key_map, scattered  # noqa: E402

HEADS = {"vit_b": 12, "vit_l": 16, "vit_h": 16}


def randomise(model):
    """N(0, 0.05), scales of norms around 1."""
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            tensor.normal_(0, 1.0 if name == POSITION else 0.05, generator=generator)
            if name.endswith(".weight") and tensor.dim() == 1:
                tensor.add_(1)


def hugging_face(name, meta, folder):
    encoder = meta.image_encoder
    vision = dict(hidden_size=encoder.pos_embed.shape[-1], num_hidden_layers=len(encoder.blocks),
                  num_attention_heads=HEADS[name],
                  global_attn_indexes=[i for i, b in enumerate(encoder.blocks)
                                       if b.window_size == 0])
    other = SamModel(SamConfig(vision_config=vision)).eval()
    pairs, own = key_map(meta, other), meta.state_dict()
    other.load_state_dict({k: own[pairs[k]] for k in other.state_dict()})
    other.save_pretrained(folder)
    return other


def reference(meta, other):
    image = scattered("full.image", (1, 3, 1024, 1024))
    box = torch.tensor([[150.0, 180.0, 800.0, 700.0]])
    points = (torch.tensor([[[300.0, 400.0], [900.0, 100.0]]]), torch.tensor([[1, 0]]))
    with torch.no_grad():
        embedding = meta.image_encoder(image)
        theirs = other.vision_encoder(image).last_hidden_state
        single, iou = decode(meta, embedding, boxes=box)
        several, _ = decode(meta, embedding, True, points=points, boxes=box, masks=single)
    return {"image": image, "box": box, "points": points[0], "labels": points[1],
            "embedding": embedding, "hugging_face.embedding": theirs, "single": single, "iou": iou,
            "several": several}


def main(name="vit_b", build=ROOT / "build/release"):
    torch.set_num_threads(2)
    meta = sam_model_registry[name]().eval()
    randomise(meta)
    with tempfile.TemporaryDirectory() as work:
        torch.save(meta.state_dict(), f"{work}/meta.pth")
        other = hugging_face(name, meta, f"{work}/hugging_face")
        if name == "vit_b":
            tensors = {k: v.contiguous() for k, v in reference(meta, other).items()}
            save_file(tensors, f"{work}/reference.safetensors")
        count = sum(v.numel() for v in meta.state_dict().values())
        del meta, other
        sys.exit(subprocess.run([Path(build) / "parity/sam_full", work, str(count)]).returncode)


if __name__ == "__main__":
    main(*sys.argv[1:])
