#include "models/nn/winograd.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "core/check.h"

// The loops below are a third of the time; the baseline of x86-64 has vectors
// of four floats.
#if defined(__x86_64__) && defined(__gnu_linux__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define SONO_WIDE_VECTORS \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define SONO_WIDE_VECTORS
#endif

namespace sono {
namespace {

constexpr std::int64_t kSlots = 16;

// Of one map: tiles of 2x2 outputs, each made of 4x4 inputs.
struct Tiling {
  std::int64_t height, width, rows, columns;
  std::int64_t count() const { return rows * columns; }
};

Tiling tiling_of(const at::Tensor& x) {
  const std::int64_t height = x.size(2), width = x.size(3);
  return {height, width, (height + 1) / 2, (width + 1) / 2};
}

// Where the product of tile row i, column j stands. Turning a 3x3 kernel by
// 180 degrees exchanges the first and the last of the four in both directions.
using Slots = std::array<std::int64_t, kSlots>;

Slots slots(bool turned) {
  Slots all{};
  const auto place = [&](std::int64_t i) {
    return turned && i % 3 == 0 ? 3 - i : i;
  };
  for (std::int64_t i = 0; i < 4; ++i) {
    for (std::int64_t j = 0; j < 4; ++j) {
      all[static_cast<std::size_t>(4 * i + j)] = 4 * place(i) + place(j);
    }
  }
  return all;
}

// Four rows of `padded` floats each, combined downwards: B^T d.
SONO_WIDE_VECTORS
void combine_rows(const float* const* rows, std::int64_t padded, float* out) {
  for (std::int64_t x = 0; x < padded; ++x) {
    const float d0 = rows[0][x], d1 = rows[1][x];
    const float d2 = rows[2][x], d3 = rows[3][x];
    out[x] = d0 - d2;
    out[padded + x] = d1 + d2;
    out[2 * padded + x] = d2 - d1;
    out[3 * padded + x] = d1 - d3;
  }
}

// One combined row to four slots, one value a tile: (B^T d) B.
SONO_WIDE_VECTORS
void combine_columns(const float* row, std::int64_t columns, float* s0,
                     float* s1, float* s2, float* s3) {
  for (std::int64_t j = 0; j < columns; ++j) {
    const float d0 = row[2 * j], d1 = row[2 * j + 1];
    const float d2 = row[2 * j + 2], d3 = row[2 * j + 3];
    s0[j] = d0 - d2;
    s1[j] = d1 + d2;
    s2[j] = d2 - d1;
    s3[j] = d1 - d3;
  }
}

// One channel's map, `map` [H, W], to its place in the 16 matrices; `stride`
// floats lie between slots.
void transform_map(const float* map, const Tiling& tiling, const Slots& slot,
                   std::int64_t stride, float* out, float* scratch) {
  const std::int64_t padded = 2 * tiling.columns + 2;
  // Rows with a zero before, and zeros behind for the last tile.
  std::array<float*, 4> rows{};
  for (std::size_t i = 0; i < 4; ++i) {
    rows[i] = scratch + static_cast<std::int64_t>(i) * padded;
  }
  float* const combined = scratch + 4 * padded;
  for (std::int64_t tile_row = 0; tile_row < tiling.rows; ++tile_row) {
    for (std::int64_t i = 0; i < 4; ++i) {
      float* const row = rows[static_cast<std::size_t>(i)];
      const std::int64_t y = 2 * tile_row - 1 + i;
      std::fill(row, row + padded, 0.f);
      if (y >= 0 && y < tiling.height) {
        std::copy_n(map + y * tiling.width, tiling.width, row + 1);
      }
    }
    combine_rows(rows.data(), padded, combined);
    for (std::size_t i = 0; i < 4; ++i) {
      const auto at_slot = [&](std::size_t j) {
        return out + slot[4 * i + j] * stride + tile_row * tiling.columns;
      };
      combine_columns(combined + static_cast<std::int64_t>(i) * padded,
                      tiling.columns, at_slot(0), at_slot(1), at_slot(2),
                      at_slot(3));
    }
  }
}

// Products of one tile row, over its columns, to two rows of outputs: A^T m A.
SONO_WIDE_VECTORS
void finish_tiles(const float* const* m, std::int64_t columns, float bias,
                  float* upper, float* lower) {
  for (std::int64_t j = 0; j < columns; ++j) {
    float u[4], v[4];
    for (int c = 0; c < 4; ++c) {
      const float m0 = m[c][j], m1 = m[4 + c][j];
      const float m2 = m[8 + c][j], m3 = m[12 + c][j];
      u[c] = m0 + m1 + m2;
      v[c] = m1 - m2 - m3;
    }
    upper[2 * j] = u[0] + u[1] + u[2] + bias;
    upper[2 * j + 1] = u[1] - u[2] - u[3] + bias;
    lower[2 * j] = v[0] + v[1] + v[2] + bias;
    lower[2 * j + 1] = v[1] - v[2] - v[3] + bias;
  }
}

// The 16 products of one channel to its map [H, W].
void finish_map(const float* products, const Tiling& tiling, const Slots& slot,
                std::int64_t stride, float bias, float* map, float* scratch) {
  const std::int64_t padded = 2 * tiling.columns;
  for (std::int64_t tile_row = 0; tile_row < tiling.rows; ++tile_row) {
    std::array<const float*, kSlots> m{};
    for (std::size_t k = 0; k < kSlots; ++k) {
      m[k] = products + slot[k] * stride + tile_row * tiling.columns;
    }
    finish_tiles(m.data(), tiling.columns, bias, scratch, scratch + padded);
    float* const out = map + 2 * tile_row * tiling.width;
    std::copy_n(scratch, tiling.width, out);
    if (2 * tile_row + 1 < tiling.height) {
      std::copy_n(scratch + padded, tiling.width, out + tiling.width);
    }
  }
}

// [B, C, H, W] -> [16, C, B * tiles]
at::Tensor transform(const at::Tensor& x, const Tiling& tiling,
                     const Slots& slot) {
  const std::int64_t batch = x.size(0), channels = x.size(1);
  const std::int64_t tiles = batch * tiling.count();
  at::Tensor out = at::empty({kSlots, channels, tiles}, x.options());
  const float* const in = x.const_data_ptr<float>();
  float* const begin = out.data_ptr<float>();
  at::parallel_for(
      0, batch * channels, 1, [&](std::int64_t from, std::int64_t to) {
        std::vector<float> scratch(
            static_cast<std::size_t>(8 * (2 * tiling.columns + 2)));
        for (std::int64_t i = from; i < to; ++i) {
          transform_map(
              in + i * tiling.height * tiling.width, tiling, slot,
              channels * tiles,
              begin + i % channels * tiles + i / channels * tiling.count(),
              scratch.data());
        }
      });
  return out;
}

// [16, C, B * tiles] -> [B, C, H, W]
at::Tensor finish(const at::Tensor& products, const Tiling& tiling,
                  const Slots& slot, const at::Tensor& bias) {
  const std::int64_t channels = products.size(1), tiles = products.size(2);
  const std::int64_t batch = tiles / tiling.count();
  at::Tensor out = at::empty({batch, channels, tiling.height, tiling.width},
                             products.options());
  const float* const in = products.const_data_ptr<float>();
  const float* const biases =
      bias.defined() ? bias.const_data_ptr<float>() : nullptr;
  float* const begin = out.data_ptr<float>();
  at::parallel_for(
      0, batch * channels, 1, [&](std::int64_t from, std::int64_t to) {
        std::vector<float> scratch(
            static_cast<std::size_t>(4 * tiling.columns));
        for (std::int64_t i = from; i < to; ++i) {
          const std::int64_t channel = i % channels;
          finish_map(in + channel * tiles + i / channels * tiling.count(),
                     tiling, slot, channels * tiles,
                     biases == nullptr ? 0.f : biases[channel],
                     begin + i * tiling.height * tiling.width, scratch.data());
        }
      });
  return out;
}

class WinogradNode : public torch::autograd::Node {
 public:
  explicit WinogradNode(const WinogradConv& conv) : conv_(conv) {}

  torch::autograd::variable_list apply(
      torch::autograd::variable_list&& gradients) override {
    const at::NoGradGuard no_grad;
    return {conv_.input_gradient(gradients[0])};
  }
  std::string name() const override { return "sono::WinogradNode"; }

 private:
  const WinogradConv& conv_;
};

// weights[k] * tiles[k], [16, out, T]. With few tiles the long side of the
// product has to be the inner one of the memory: threads and vectors share it.
at::Tensor slot_products(const at::Tensor& weights, const at::Tensor& tiles) {
  constexpr std::int64_t kFewTiles = 128;
  if (tiles.size(2) >= kFewTiles) return at::bmm(weights, tiles);
  return at::bmm(tiles.transpose(1, 2), weights.transpose(1, 2))
      .transpose(1, 2)
      .contiguous();
}

}  // namespace

WinogradConv::WinogradConv(const at::Tensor& weight)
    : source_(weight.const_data_ptr()), source_version_(weight._version()) {
  const at::NoGradGuard no_grad;
  SONO_CHECK(weight.dim() == 4 && weight.size(2) == 3 && weight.size(3) == 3 &&
                 weight.scalar_type() == at::kFloat,
             "weight " << weight.sizes());
  // G g G^T for every pair of channels.
  const at::Tensor g =
      at::tensor({1.f, 0.f, 0.f, .5f, .5f, .5f, .5f, -.5f, .5f, 0.f, 0.f, 1.f})
          .view({4, 3});
  const std::int64_t out = weight.size(0), in = weight.size(1);
  const at::Tensor transformed =
      at::matmul(at::matmul(g, weight.detach().reshape({-1, 3, 3})), g.t());
  weights_ =
      transformed.view({out, in, kSlots}).permute({2, 0, 1}).contiguous();
}

at::Tensor WinogradConv::operator()(const at::Tensor& x,
                                    const at::Tensor& bias) const {
  at::Tensor y;
  {
    const at::NoGradGuard no_grad;
    const Tiling tiling = tiling_of(x);
    const Slots slot = slots(/*turned=*/false);
    y = finish(slot_products(weights_, transform(x.contiguous(), tiling, slot)),
               tiling, slot, bias);
  }
  if (!at::GradMode::is_enabled() || !x.requires_grad()) return y;
  const std::shared_ptr<torch::autograd::Node> node(
      new WinogradNode(*this), torch::autograd::deleteNode);
  node->set_next_edges(torch::autograd::collect_next_edges(x));
  torch::autograd::set_history(y, node);
  return y;
}

at::Tensor WinogradConv::input_gradient(const at::Tensor& gradient) const {
  const Tiling tiling = tiling_of(gradient);
  const Slots slot = slots(/*turned=*/true);
  const at::Tensor tiles = transform(gradient.contiguous(), tiling, slot);
  return finish(slot_products(weights_.transpose(1, 2), tiles), tiling, slot,
                {});
}

bool WinogradConv::holds(const at::Tensor& weight) const {
  return weight.const_data_ptr() == source_ &&
         weight._version() == source_version_;
}

}  // namespace sono
