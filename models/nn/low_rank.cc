#include "models/nn/low_rank.h"

#include "core/check.h"
#include "core/random.h"

namespace sono {
namespace {

// 1 / (1 - p) where a value stays, 0 where it is dropped; one stream a sample.
at::Tensor dropout_mask(const at::Tensor& x, const LoraDropout& dropout,
                        const std::string& path) {
  SONO_CHECK_EQ(static_cast<std::size_t>(x.size(0)), dropout.samples.size());
  at::Tensor mask = at::empty(x.sizes(), at::kFloat);
  const auto row = static_cast<std::size_t>(mask.numel() / mask.size(0));
  float* out = mask.data_ptr<float>();
  for (const std::uint64_t sample : dropout.samples) {
    Random(make_key("lora.dropout." + path, dropout.seed, sample))
        .fill_uniform(out, row);
    out += row;
  }
  return mask.ge_(dropout.probability)
      .div_(1 - dropout.probability)
      .to(x.device());
}

}  // namespace

// In the branch's own precision, which may be finer than the layer's.
at::Tensor LowRank::input(const at::Tensor& x) const {
  const at::Tensor wide = x.to(down.scalar_type());
  if (dropout == nullptr || dropout->samples.empty()) return wide;
  return wide * dropout_mask(x, *dropout, path);
}

at::Tensor LowRank::add_linear(at::Tensor y, const at::Tensor& x) const {
  // Nothing in backward needs the layer's output, so it is added to in place.
  const at::Tensor inner = at::linear(input(x).reshape({-1, x.size(-1)}), down);
  if (y.scalar_type() == inner.scalar_type()) {
    y.addmm_(inner, up.t(), /*beta=*/1, /*alpha=*/scale);
  } else {
    y.add_(at::linear(inner, up), scale);
  }
  return y;
}

at::Tensor LowRank::add_conv2d(const at::Tensor& y, const at::Tensor& x,
                               std::int64_t stride,
                               std::int64_t padding) const {
  const at::Tensor inner =
      at::conv2d(input(x), down, /*bias=*/{}, stride, padding);
  return y.add_(at::conv2d(inner, up), scale);
}

at::Tensor LowRank::delta() const {
  const at::NoGradGuard no_grad;
  const at::Tensor product = at::mm(up.flatten(1), down.flatten(1)) * scale;
  if (down.dim() == 2) return product;
  std::vector<std::int64_t> shape = down.sizes().vec();
  shape[0] = up.size(0);
  return product.view(shape);
}

}  // namespace sono
