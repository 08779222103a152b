"""Writes fixtures/sam.safetensors and fixtures/sam_keys.json: what Meta's
segment-anything and Hugging Face's SamModel give for a tiny SAM. Read by
vit_sam_test and sam_training_test, which make the same weights and images.

    python tests/parity/sam.py
"""
import json
from pathlib import Path

import torch
from monai.losses import DiceCELoss
from safetensors.torch import save_file
from segment_anything.modeling import (ImageEncoderViT, MaskDecoder, PromptEncoder, Sam,
                                       TwoWayTransformer)
from transformers import SamConfig, SamModel

import scattered as numbers

FIXTURES = Path(__file__).parent / "fixtures"
IMAGE_PX, PATCH_PX, WIDTH, OUT, WINDOW = 64, 8, 32, 16, 3
POSITION = "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"


def scattered(name, shape):
    return torch.from_numpy(numbers.scattered(name, shape))


def weight(name, tensor):
    """Standard deviation 0.25, around 1 for the scales of norms: layers this
    narrow need it for outputs of order 1."""
    if name == POSITION:
        return scattered(name, tensor.shape)
    is_scale = name.endswith(".weight") and tensor.dim() == 1
    return scattered(name, tensor.shape) * 0.433 + float(is_scale)


def meta_sam(table_grid=None):
    """A tiny Sam; `table_grid`: side of the grid that the relative positions of
    the global block are for, when it is not the image's."""
    grid = IMAGE_PX // PATCH_PX
    encoder = ImageEncoderViT(
        img_size=IMAGE_PX, patch_size=PATCH_PX, embed_dim=WIDTH, depth=2, num_heads=4,
        mlp_ratio=4, out_chans=OUT, use_rel_pos=True, window_size=WINDOW,
        global_attn_indexes=(1,), norm_layer=lambda n: torch.nn.LayerNorm(n, eps=1e-6))
    prompt = PromptEncoder(embed_dim=OUT, image_embedding_size=(grid, grid),
                           input_image_size=(IMAGE_PX, IMAGE_PX), mask_in_chans=16)
    decoder = MaskDecoder(
        num_multimask_outputs=3, transformer_dim=OUT, iou_head_depth=3, iou_head_hidden_dim=16,
        transformer=TwoWayTransformer(depth=2, embedding_dim=OUT, mlp_dim=32, num_heads=2))
    sam = Sam(encoder, prompt, decoder)
    if table_grid:
        for name in ("rel_pos_h", "rel_pos_w"):
            table = torch.zeros(2 * table_grid - 1, WIDTH // 4)
            setattr(encoder.blocks[1].attn, name, torch.nn.Parameter(table))
    sam.load_state_dict({k: weight(k, v) for k, v in sam.state_dict().items()
                         if not k.startswith("pixel")}, strict=False)
    return sam.eval()


def hugging_face_sam():
    vision = dict(hidden_size=WIDTH, output_channels=OUT, num_hidden_layers=2,
                  num_attention_heads=4, image_size=IMAGE_PX, patch_size=PATCH_PX,
                  window_size=WINDOW, global_attn_indexes=[1], mlp_dim=4 * WIDTH,
                  num_pos_feats=OUT // 2)
    prompt = dict(hidden_size=OUT, image_size=IMAGE_PX, patch_size=PATCH_PX)
    decoder = dict(hidden_size=OUT, mlp_dim=32, num_attention_heads=2, iou_head_hidden_dim=16)
    return SamModel(SamConfig(vision_config=vision, prompt_encoder_config=prompt,
                              mask_decoder_config=decoder)).eval()


def key_map(meta, other):
    """Meta's name for each of Hugging Face's. Both modules list their layers in
    the same order inside each part, and shapes must agree."""
    own = {k: v for k, v in meta.state_dict().items() if not k.startswith("pixel")}
    pairs = {"shared_image_embedding.positional_embedding": POSITION,
             "prompt_encoder.shared_embedding.positional_embedding": POSITION}
    parts = [("vision_encoder.", "image_encoder."), ("mask_decoder.iou_t", "mask_decoder.iou_t"),
             ("mask_decoder.mask_t", "mask_decoder.mask_t"),
             ("mask_decoder.transformer.", "mask_decoder.transformer."),
             ("mask_decoder.upscale_conv1", "mask_decoder.output_upscaling.0"),
             ("mask_decoder.upscale_layer_norm", "mask_decoder.output_upscaling.1"),
             ("mask_decoder.upscale_conv2", "mask_decoder.output_upscaling.3"),
             ("prompt_encoder.point_embed", "prompt_encoder.point_embeddings"),
             ("prompt_encoder.not", "prompt_encoder.not"), ("prompt_encoder.no_", "prompt_encoder.no_"),
             ("prompt_encoder.mask_embed.conv1", "prompt_encoder.mask_downscaling.0"),
             ("prompt_encoder.mask_embed.layer_norm1", "prompt_encoder.mask_downscaling.1"),
             ("prompt_encoder.mask_embed.conv2", "prompt_encoder.mask_downscaling.3"),
             ("prompt_encoder.mask_embed.layer_norm2", "prompt_encoder.mask_downscaling.4"),
             ("prompt_encoder.mask_embed.conv3", "prompt_encoder.mask_downscaling.6")]
    for head in [f"output_hypernetworks_mlps.{i}" for i in range(4)] + ["iou_prediction_head"]:
        parts += [(f"mask_decoder.{head}.{theirs}", f"mask_decoder.{head}.layers.{i}")
                  for i, theirs in enumerate(("proj_in", "layers.0", "proj_out"))]
    for theirs, ours in parts:
        left = [k for k in other.state_dict() if k.startswith(theirs)]
        right = [k for k in own if k.startswith(ours)]
        left.sort(key=lambda k: k.replace("layer_norm", "norm").replace("projection", "proj"))
        if theirs == "vision_encoder.":
            rename = {"neck.conv1": "neck.0", "neck.layer_norm1": "neck.1", "neck.conv2": "neck.2",
                      "neck.layer_norm2": "neck.3", "layers": "blocks", "layer_norm": "norm",
                      "projection": "proj", "vision": "image"}
            for key in left:
                new = key
                for a, b in rename.items():
                    new = new.replace(a, b)
                pairs[key] = new
            continue
        pairs |= dict(zip(left, sorted(right), strict=True))
    assert set(pairs) == set(other.state_dict()) | set(list(pairs)[:2]), set(pairs) ^ set(other.state_dict())
    assert set(pairs.values()) == set(own)
    for theirs, ours in pairs.items():
        if theirs in other.state_dict():
            assert other.state_dict()[theirs].shape == own[ours].shape, theirs
    return pairs


BOX = torch.tensor([[9.0, 12.0, 50.0, 41.0]])
POINTS = (torch.tensor([[[20.0, 30.0], [55.0, 8.0]]]), torch.tensor([[1, 0]]))


def decode(sam, embedding, multi=False, points=None, boxes=None, masks=None):
    sparse, dense = sam.prompt_encoder(points=points, boxes=boxes, masks=masks)
    return sam.mask_decoder(embedding, sam.prompt_encoder.get_dense_pe(), sparse, dense, multi)


def prompts():
    one = (POINTS[0][:, :1], POINTS[1][:, :1])
    mask = 4 * scattered("mask", (1, 1, 32, 32))
    return {"none": {}, "point": dict(points=one), "points": dict(points=POINTS),
            "box": dict(boxes=BOX), "mask": dict(masks=mask),
            "all": dict(points=POINTS, boxes=BOX, masks=mask)}


def model_outputs(sam):
    images = scattered("images", (2, 3, IMAGE_PX, IMAGE_PX))
    embedding = sam.image_encoder(images)
    out = {"embedding": embedding,
           "resized_table.embedding": meta_sam(table_grid=11).image_encoder(images[:1])}
    for name, prompt in prompts().items():
        logits, iou = decode(sam, embedding[:1], **prompt)
        out |= {f"{name}.logits": logits, f"{name}.iou": iou}
    logits, iou = decode(sam, embedding[:1], True, boxes=BOX)
    return out | {"multi.logits": logits, "multi.iou": iou}


def hugging_face_outputs(sam, meta):
    """Its norms in the decoder have another epsilon: 1e-6, not Meta's 1e-5."""
    images = scattered("images", (2, 3, IMAGE_PX, IMAGE_PX))[:1]
    result = sam(pixel_values=images, input_points=POINTS[0][:, None],
                 input_labels=POINTS[1][:, None], input_boxes=BOX[:, None],
                 multimask_output=True)
    expected = decode(meta, meta.image_encoder(images), True, points=POINTS, boxes=BOX)[0]
    error = (result.pred_masks[0] - expected).abs().max().item()
    print(f"Hugging Face's logits differ from Meta's by {error:.1e}")
    assert error < 1e-4
    return {"hugging_face.logits": result.pred_masks[0]}


def training_views():
    """Images, targets and boxes of 4 views, reused in turn."""
    images = scattered("train.images", (4, 3, IMAGE_PX, IMAGE_PX))
    targets, boxes = torch.zeros(4, 1, 32, 32), torch.zeros(4, 4)
    for i in range(4):
        y, x, size = 3 + 2 * i, 4 + 3 * i, 10 + i
        targets[i, 0, y:y + size, x:x + size] = 1
        boxes[i] = torch.tensor([x, y, x + size - 1, y + size - 1]) * 2.0
    return images, targets, boxes


def train(parts, optimizer, **options):
    """20 steps of two views each; the loss of every step, the gradients of the
    first and the weights after the last, sampled."""
    sam = meta_sam()
    for name, parameter in sam.named_parameters():
        parameter.requires_grad_(name.startswith(parts))
    chosen = {n: p for n, p in sam.named_parameters() if p.requires_grad}
    optimizer = optimizer(chosen.values(), **options)
    images, targets, boxes = training_views()
    loss_of = DiceCELoss(sigmoid=True, squared_pred=True)
    losses, gradients = [], {}
    for step in range(20):
        views = [(2 * step + i) % 4 for i in range(2)]
        embedding = torch.cat([sam.image_encoder(images[i:i + 1]) for i in views])
        logits = torch.cat([decode(sam, embedding[k:k + 1], boxes=boxes[i:i + 1])[0]
                            for k, i in enumerate(views)])
        loss = loss_of(logits, targets[views])
        optimizer.zero_grad()
        loss.backward()
        if step == 0:
            gradients = {n: p.grad.clone() for n, p in chosen.items() if p.grad is not None}
        optimizer.step()
        losses.append(loss.detach())
    moved = {n: (p - weight(n, p)).detach() for n, p in chosen.items()}
    pick = lambda tensors: torch.cat([tensors[n].flatten()[:6] for n in sorted(gradients)])
    return {"loss": torch.stack(losses), "gradient": pick(gradients), "moved": pick(moved)}


def loss_cases():
    """MONAI's DiceCELoss: value and gradient, one empty target."""
    logits = 3 * scattered("loss.logits", (3, 1, 64, 64))
    target = (scattered("loss.target", (3, 1, 64, 64)) > 0.2).float()
    target[1] = 0
    out = {}
    for batch in (False, True):
        leaf = logits.clone().requires_grad_()
        value = DiceCELoss(sigmoid=True, squared_pred=True, batch=batch)(leaf, target)
        value.backward()
        name = "loss.batch" if batch else "loss.each"
        out |= {f"{name}.value": value.detach().reshape(1),
                f"{name}.gradient": leaf.grad.flatten()[::16]}
    return out


def main():
    torch.set_num_threads(1)
    meta, other = meta_sam(), hugging_face_sam()
    pairs = key_map(meta, other)
    other.load_state_dict({k: weight(pairs[k], v) for k, v in other.state_dict().items()})
    with torch.no_grad():
        out = model_outputs(meta) | hugging_face_outputs(other, meta)
    out |= loss_cases()
    decoder = train(("mask_decoder",), torch.optim.Adam, lr=1e-5)
    whole = train(("mask_decoder", "image_encoder"), torch.optim.AdamW, lr=1e-4, weight_decay=0.01)
    out |= {f"decoder.{k}": v for k, v in decoder.items()}
    out |= {f"whole.{k}": v for k, v in whole.items()}
    save_file({k: v.detach().contiguous() for k, v in out.items()}, FIXTURES / "sam.safetensors")
    (FIXTURES / "sam_keys.json").write_text(json.dumps(pairs, indent=0, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
