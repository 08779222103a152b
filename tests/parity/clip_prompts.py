"""300 prompts that a tokenizer can get wrong; shared by the small fixture and
the full check."""

import random

WORDS = ("ultrasound of a fetal head, axial plane, transventricular view; high contrast "
         "grey-scale speckle photo photograph it's we'll they've I'm he'd can't re 've "
         "BIOMETRY Hc18 12.5mm 3x4 n° №5 ½ ² ③ Ⅳ 1,000.00 a_b c-d e/f (g) [h] {i} <j> \"k\" "
         "naïve café Ångström ÉCOLE straße ΣΑΣ İSTANBUL ıI ǅ ﬁne Ǆ œuvre ñandú Ōsaka "
         "日本語 テスト ひらがな 漢字 한국어 한국 ไทย हिन्दी العربية עברית кошка Ёлка ქართული "
         "👩‍👩‍👧 🇨🇭 👍🏽 ❤️ 🏳️‍🌈 ☕ ✂️ … .. ... -- — ‘quoted’ “double” «guillemets» "
         "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝟙𝟚𝟛 ａｂｃ １２３ Å Ω K ﷺ ① ㈱ ½").split(" ")
SPACES = [" ", "  ", "\t", "\n", " ", "　", " ", "\r\n", " ", "​", "\x1f"]
SPECIALS = ["<|startoftext|>", "<|endoftext|>", "<|ENDOFTEXT|>", "<|StartOfText|>", "<|endoftext|", "!", "!!!",
            "<|endoftext|>!!", "''s", "'S", "'LL", "’s", "\x00", "﻿", "￾"]
MARKS = [chr(c) for c in (0x300, 0x301, 0x308, 0x323, 0x327, 0x328, 0x345, 0x5B0, 0x64B, 0x3099)]


def prompts():
    fixed = ["", " ", "a photo of a cat", "  A  photo\tof\n a CAT  ", "..", "!!!", "'", "''", "0",
             "1234567890", "word " * 200, "x" * 300, "é" * 100, "👍" * 90, "a,b" * 60,
             "e\u0301 e\u0323\u0301 e\u0301\u0323 \u1100\u1161\u11a8 \uac00\u11a8 a\u0300\u0301",
             "\u0344 \u0958 \u212b \u2126 \ufb1d \U0001d15e", "don't DON'T don\u2019t"]
    draw = random.Random(7)
    while len(fixed) < 300:
        text = ""
        for _ in range(draw.randint(1, 9)):
            kind = draw.random()
            if kind < 0.6:
                text += draw.choice(WORDS)
            elif kind < 0.7:
                text += draw.choice(SPECIALS)
            elif kind < 0.8:
                text += draw.choice("aeiouAEIOUcdsw") + "".join(
                    draw.choice(MARKS) for _ in range(draw.randint(1, 3)))
            else:
                code = draw.choice([draw.randrange(0x250), draw.randrange(0x3000),
                                    draw.randrange(0xD800), draw.randrange(0x10000, 0x20000)])
                text += chr(code)
            text += draw.choice(SPACES) if draw.random() < 0.7 else ""
        fixed.append(text)
    return fixed
