#include "models/nn/slot_products.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cstring>

#include "models/nn/wide_vectors.h"

namespace sono {
namespace {

// Up to here the weights' way through memory counts, not the arithmetic.
constexpr std::int64_t kFewTiles = 192;
constexpr std::int64_t kLanes = 16;
constexpr int kRows = 4;     // rows of weights at once
constexpr int kColumns = 6;  // tiles at once

// Every operation on one stands in a function of SONO_WIDE_VECTORS itself: a
// helper would be compiled for the baseline before it is inlined. The sums stay
// in registers only when the loops over them are unrolled.
using Vector = float __attribute__((vector_size(kLanes * sizeof(float))));

// out[row][column] of kRows rows of weights and kColumns rows of tiles, each
// `in` floats, a multiple of kLanes.
SONO_WIDE_VECTORS
void dot_block(const float* weights, const float* tiles, std::int64_t in,
               float* out) {
  Vector sums[kRows][kColumns] = {};
  for (std::int64_t i = 0; i < in; i += kLanes) {
    Vector w[kRows];
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
      std::memcpy(&w[r], weights + r * in + i, sizeof(Vector));
    }
#pragma GCC unroll 6
    for (int c = 0; c < kColumns; ++c) {
      Vector t;
      std::memcpy(&t, tiles + c * in + i, sizeof(Vector));
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r) sums[r][c] += w[r] * t;
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 6
    for (int c = 0; c < kColumns; ++c) {
      const Vector lanes = sums[r][c];
      float parts[kLanes], total = 0;
      std::memcpy(parts, &lanes, sizeof(parts));
      for (const float part : parts) total += part;
      out[r * kColumns + c] = total;
    }
  }
}

// kRows rows of weights past all `count` rows of tiles; those behind them, up
// to a multiple of kColumns, are there and of no meaning.
void dot_rows(const float* weights, const float* tiles, std::int64_t in,
              std::int64_t count, float* out) {
  float block[kRows * kColumns];
  for (std::int64_t c = 0; c < count; c += kColumns) {
    dot_block(weights, tiles + c * in, in, block);
    const std::int64_t columns = std::min<std::int64_t>(kColumns, count - c);
    for (int r = 0; r < kRows; ++r) {
      std::copy_n(block + r * kColumns, columns, out + r * count + c);
    }
  }
}

// out[t][i] += sum over kRows rows r of factors[r][t] * weights[r][i].
SONO_WIDE_VECTORS
void add_rows(const float* weights, const float* factors, std::int64_t in,
              std::int64_t count, float* out) {
  for (std::int64_t i = 0; i < in; i += kLanes) {
    Vector w[kRows];
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
      std::memcpy(&w[r], weights + r * in + i, sizeof(Vector));
    }
    for (std::int64_t t = 0; t < count; ++t) {
      Vector total;
      std::memcpy(&total, out + t * in + i, sizeof(Vector));
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r) total += factors[r * count + t] * w[r];
      std::memcpy(out + t * in + i, &total, sizeof(Vector));
    }
  }
}

bool streams(const at::Tensor& weights, const at::Tensor& tiles) {
  return tiles.size(2) <= kFewTiles && weights.size(1) % kRows == 0 &&
         weights.size(2) % kLanes == 0;
}

}  // namespace

at::Tensor slot_products(const at::Tensor& weights, const at::Tensor& tiles) {
  if (!streams(weights, tiles)) return at::bmm(weights, tiles);
  const std::int64_t out = weights.size(1), in = weights.size(2);
  const std::int64_t count = tiles.size(2), blocks = out / kRows;
  const std::int64_t padded = (count + kColumns - 1) / kColumns * kColumns;
  const at::Tensor rows =
      at::constant_pad_nd(tiles.transpose(1, 2), {0, 0, 0, padded - count})
          .contiguous();
  at::Tensor products =
      at::empty({weights.size(0), out, count}, tiles.options());
  const float* const w = weights.const_data_ptr<float>();
  const float* const t = rows.const_data_ptr<float>();
  float* const p = products.data_ptr<float>();
  at::parallel_for(0, weights.size(0) * blocks, 8,
                   [&](std::int64_t begin, std::int64_t end) {
                     for (std::int64_t i = begin; i < end; ++i) {
                       dot_rows(w + i * kRows * in,
                                t + i / blocks * padded * in, in, count,
                                p + i * kRows * count);
                     }
                   });
  return products;
}

at::Tensor transposed_slot_products(const at::Tensor& weights,
                                    const at::Tensor& tiles) {
  if (!streams(weights, tiles)) {
    return at::bmm(weights.transpose(1, 2), tiles);
  }
  const std::int64_t out = weights.size(1), in = weights.size(2);
  const std::int64_t count = tiles.size(2);
  at::Tensor rows = at::zeros({weights.size(0), count, in}, tiles.options());
  const float* const w = weights.const_data_ptr<float>();
  const float* const t = tiles.const_data_ptr<float>();
  float* const p = rows.data_ptr<float>();
  at::parallel_for(
      0, weights.size(0), 1, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t k = begin; k < end; ++k) {
          for (std::int64_t o = 0; o < out; o += kRows) {
            add_rows(w + (k * out + o) * in, t + (k * out + o) * count, in,
                     count, p + k * count * in);
          }
        }
      });
  return rows.transpose(1, 2).contiguous();
}

}  // namespace sono
