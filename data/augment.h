#pragma once
// Augmentation of one image with its mask, drawn from a keyed stream: equal
// streams give equal bytes. Sizes stay as they are and masks stay 0 or 255.

#include "core/random.h"
#include "data/sample.h"

namespace sono {

// The arm `us-aug`: flips, a warp that takes the head's ellipse to another
// sampled one (skipped without mask), then what changes between machines and
// sonographers: log-compression and gain, depth gain, an acoustic shadow and
// speckle. The result is a new head at the old pixel size, so where spacing is
// known hc_reference_mm is that of the sampled ellipse, else 0.
Sample us_augment(const Sample& sample, Random& random);

// Wang et al. 2025 (code): flips, rotation within 15 degrees, brightness and
// contrast, 3x3 blur, Gaussian noise. The reference circumference stays.
Sample weak_augment(const Sample& sample, Random& random);

// The same paper's strong set: flips, rotation within 45 degrees, elastic warp
// (alpha 120, sigma 12), hue and saturation, coarse drop-out. Of hue,
// saturation and value only the last exists on grey images: up to 20 grey
// levels.
Sample strong_augment(const Sample& sample, Random& random);

}  // namespace sono
