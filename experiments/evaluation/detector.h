#pragma once
// The prompt `detector`: a box found in the frozen encoder's embedding, so that
// no truth is looked at. A ridge regression says for each of the 64 x 64 places
// of the embedding how much of it the head covers; the box is that of the
// largest region above one half. In fp64, in one order: equal bits everywhere.

#include <ATen/ATen.h>

#include <cstdint>
#include <filesystem>
#include <string>

#include "trainer/sam_frame.h"

namespace sono {

// The sums that a ridge regression is solved from; images are added one by one.
class BoxDetectorFit {
 public:
  BoxDetectorFit();

  // `embedding`: fp32 [1, C, G, G]; `target`: fp32 [S, S] of 0 or 1, the filled
  // mask in the frame, S a multiple of G. Places outside `whole` do not count.
  void add(const at::Tensor& embedding, const at::Tensor& target,
           const Box& whole);
  // fp64 [C + 6]: weights of the channels, of place (x, y, x^2, y^2, xy in
  // -1..1 of the frame) and the offset. `ridge` is relative to the mean square
  // of a feature. Error before the first image.
  at::Tensor solve(double ridge = 1e-2) const;

 private:
  at::Tensor gram_;    // fp64 [C + 6, C + 6]
  at::Tensor moment_;  // fp64 [C + 6]
  std::int64_t places_ = 0;
};

// The box that `weights` find, in the frame of `frame`; the whole image when
// nothing is above one half.
Box detect_box(const at::Tensor& weights, const at::Tensor& embedding,
               const SamFrame& frame);

}  // namespace sono
