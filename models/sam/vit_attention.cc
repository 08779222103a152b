#include "models/sam/vit_attention.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "core/check.h"

namespace sono {
namespace {

// The logits of all queries and keys of one image of 1024 px take 805 MB in
// ViT-B; at most this much of them is there at a time.
constexpr std::int64_t kLogitBytes = 16 << 20;

// The rectangle of tokens inside which attention happens.
struct Area {
  std::int64_t rows;
  std::int64_t columns;
  std::int64_t tokens() const { return rows * columns; }
};

// [side, side, d]: the row of `table` for each query and key. A table of
// another size is resized linearly first, as the published code does.
at::Tensor relative_positions(const at::Tensor& table, std::int64_t side) {
  const std::int64_t distances = 2 * side - 1;
  at::Tensor rows = table;
  if (table.size(0) != distances) {
    rows = at::upsample_linear1d(table.t().unsqueeze(0), {distances},
                                 /*align_corners=*/false)[0]
               .t();
  }
  const at::Tensor index = at::arange(side, table.options().dtype(at::kLong));
  const at::Tensor distance =
      index.unsqueeze(1) - index.unsqueeze(0) + (side - 1);
  return rows.index_select(0, distance.flatten()).view({side, side, -1});
}

// What a query's logits get for each row and each column of keys:
// [G, rows, columns, key rows] and [G, rows, columns, key columns].
struct RelativeLogits {
  at::Tensor rows;
  at::Tensor columns;
};

RelativeLogits relative_logits(const at::Tensor& q, Area area,
                               const at::Tensor& table_h,
                               const at::Tensor& table_w) {
  const std::int64_t groups = q.size(0), d = q.size(-1);
  const at::Tensor grid = q.view({groups, area.rows, area.columns, d});
  const at::Tensor by_row =
      grid.transpose(0, 1).reshape({area.rows, groups * area.columns, d});
  const at::Tensor by_column =
      grid.permute({2, 0, 1, 3}).reshape({area.columns, groups * area.rows, d});
  const at::Tensor h =
      at::bmm(by_row, relative_positions(table_h, area.rows).transpose(1, 2));
  const at::Tensor w = at::bmm(
      by_column, relative_positions(table_w, area.columns).transpose(1, 2));
  return {h.view({area.rows, groups, area.columns, area.rows})
              .transpose(0, 1)
              .contiguous(),
          w.view({area.columns, groups, area.rows, area.columns})
              .permute({1, 2, 0, 3})
              .contiguous()};
}

// Rows of queries of one area, or whole areas, that are attended to at a time.
struct Step {
  std::int64_t groups;
  std::int64_t rows;
};

Step fitting_step(std::int64_t groups, Area area) {
  const std::int64_t row_bytes =
      area.columns * area.tokens() * static_cast<std::int64_t>(sizeof(float));
  const auto fitting = [](std::int64_t count, std::int64_t bytes_each) {
    return std::clamp<std::int64_t>(kLogitBytes / bytes_each, 1, count);
  };
  return {fitting(groups, area.rows * row_bytes),
          fitting(area.rows, row_bytes)};
}

// One step, with a graph or into `space`: the same operations on the same
// numbers either way, so that a block run again in backward has the same bits.
// by_row and by_column [g, r, columns, ...]; q [g, r * columns, d].
at::Tensor attend_step(const at::Tensor& q, const at::Tensor& k,
                       const at::Tensor& v, const at::Tensor& by_row,
                       const at::Tensor& by_column, at::Tensor& space) {
  const std::int64_t groups = q.size(0), queries = q.size(1);
  const double scale = 1.0 / std::sqrt(static_cast<double>(q.size(-1)));
  const at::Tensor h = by_row.unsqueeze(-1), w = by_column.unsqueeze(-2);
  const std::array<std::int64_t, 3> matrix{groups, queries, k.size(1)};
  if (!space.defined()) {
    const at::Tensor bias = (h + w).view(matrix);
    const at::Tensor logits =
        at::baddbmm(bias, q, k.transpose(1, 2), /*beta=*/1, scale);
    return at::bmm(at::softmax(logits, -1), v);
  }
  at::Tensor logits =
      space.narrow(0, 0, groups * queries * k.size(1)).view(matrix);
  at::Tensor bias = logits.view({groups, by_row.size(1), by_row.size(2),
                                 by_row.size(3), by_column.size(3)});
  at::add_out(bias, h, w);
  logits.baddbmm_(q, k.transpose(1, 2), /*beta=*/1, scale);
  at::softmax_out(logits, logits, -1);
  return at::bmm(logits, v);
}

// q, k, v [G, tokens, d] -> [G, tokens, d], each of G areas by itself.
at::Tensor attend(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                  Area area, const RelativeLogits& relative) {
  const std::int64_t groups = q.size(0), tokens = area.tokens();
  const Step step = fitting_step(groups, area);
  at::Tensor space;
  if (!at::GradMode::is_enabled()) {
    space = at::empty({step.groups * step.rows * area.columns * tokens},
                      q.options());
  }
  std::vector<at::Tensor> parts;
  for (std::int64_t g = 0; g < groups; g += step.groups) {
    const std::int64_t num_groups = std::min(step.groups, groups - g);
    const auto these = [&](const at::Tensor& x) {
      return x.narrow(0, g, num_groups);
    };
    std::vector<at::Tensor> rows;
    for (std::int64_t r = 0; r < area.rows; r += step.rows) {
      const std::int64_t num_rows = std::min(step.rows, area.rows - r);
      rows.push_back(attend_step(
          these(q).narrow(1, r * area.columns, num_rows * area.columns),
          these(k), these(v), these(relative.rows).narrow(1, r, num_rows),
          these(relative.columns).narrow(1, r, num_rows), space));
    }
    parts.push_back(at::cat(rows, 1));
  }
  return at::cat(parts);
}

// [B, H, W, C] -> [B, H', W', C] with `value` [C] in the new tokens.
at::Tensor extended(const at::Tensor& x, std::int64_t height,
                    std::int64_t width, const at::Tensor& value) {
  const std::int64_t batch = x.size(0), channels = x.size(3);
  at::Tensor out = x;
  if (width > out.size(2)) {
    out = at::cat({out, value.expand({batch, out.size(1), width - out.size(2),
                                      channels})},
                  2);
  }
  if (height > out.size(1)) {
    out = at::cat(
        {out, value.expand({batch, height - out.size(1), width, channels})}, 1);
  }
  return out;
}

std::int64_t round_up(std::int64_t value, std::int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

}  // namespace

VitAttention::VitAttention(std::int64_t channels, std::int64_t heads,
                           std::int64_t window, std::int64_t table_side)
    : heads_(heads),
      window_(window),
      qkv_(channels, 3 * channels),
      proj_(channels, channels) {
  SONO_CHECK_EQ(channels % heads, 0);
  add_module("qkv", qkv_);
  add_module("proj", proj_);
  rel_pos_h_ =
      add_parameter("rel_pos_h", {2 * table_side - 1, channels / heads});
  rel_pos_w_ =
      add_parameter("rel_pos_w", {2 * table_side - 1, channels / heads});
}

// A token of zeros has the bias of the projection as its query, key and value,
// so the padding is added behind the projection, and cut off before the next.
at::Tensor VitAttention::operator()(const at::Tensor& x) const {
  const std::int64_t batch = x.size(0), height = x.size(1), width = x.size(2);
  const std::int64_t channels = x.size(3), d = channels / heads_;
  const Area area = window_ > 0 ? Area{window_, window_} : Area{height, width};
  const std::int64_t down = round_up(height, area.rows) / area.rows;
  const std::int64_t across = round_up(width, area.columns) / area.columns;
  const at::Tensor padded =
      extended(qkv_(x), down * area.rows, across * area.columns, qkv_.bias);
  const at::Tensor qkv =
      padded.view({batch, down, area.rows, across, area.columns, 3, heads_, d})
          .permute({5, 0, 1, 3, 6, 2, 4, 7})
          .reshape({3, -1, area.tokens(), d});
  const at::Tensor mixed =
      attend(qkv[0], qkv[1], qkv[2], area,
             relative_logits(qkv[0], area, rel_pos_h_, rel_pos_w_));
  return proj_(
      mixed.view({batch, down, across, heads_, area.rows, area.columns, d})
          .permute({0, 1, 4, 2, 5, 3, 6})
          .reshape({batch, down * area.rows, across * area.columns, channels})
          .slice(1, 0, height)
          .slice(2, 0, width));
}

}  // namespace sono
