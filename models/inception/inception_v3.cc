#include "models/inception/inception_v3.h"

#include "core/check.h"

namespace sono {
namespace {

using Options = BasicConvOptions;

constexpr Options kThree{.kernel = {3, 3}};
constexpr Options kThreePadded{.kernel = {3, 3}, .padding = {1, 1}};
constexpr Options kThreeStrided{.kernel = {3, 3}, .stride = 2};
constexpr Options kFivePadded{.kernel = {5, 5}, .padding = {2, 2}};
constexpr Options kRowOfThree{.kernel = {1, 3}, .padding = {0, 1}};
constexpr Options kColumnOfThree{.kernel = {3, 1}, .padding = {1, 0}};
constexpr Options kRowOfSeven{.kernel = {1, 7}, .padding = {0, 3}};
constexpr Options kColumnOfSeven{.kernel = {7, 1}, .padding = {3, 0}};

at::Tensor mean_of_neighbours(const at::Tensor& x) {
  return at::avg_pool2d(x, 3, 1, 1, /*ceil_mode=*/false,
                        /*count_include_pad=*/false);
}

at::Tensor halved(const at::Tensor& x) { return at::max_pool2d(x, 3, 2); }

// Where each output pixel lies between two input pixels.
struct Taps {
  at::Tensor low, high, part;
};

Taps taps(std::int64_t in, std::int64_t out) {
  const float scale = static_cast<float>(in) / static_cast<float>(out);
  const at::Tensor place = at::arange(out, at::kFloat) * scale;
  const at::Tensor low = place.floor().to(at::kLong).clamp_max(in - 1);
  return {low, (low + 1).clamp_max(in - 1), place - place.floor()};
}

}  // namespace

void InceptionV3::Block::add(const std::string& name, std::int64_t in,
                             std::int64_t out, Options options) {
  const auto added = convolutions_.try_emplace(name, in, out, options);
  add_module(name, added.first->second);
}

at::Tensor InceptionV3::Block::run(
    at::Tensor x, std::initializer_list<const char*> names) const {
  for (const char* name : names) x = convolutions_.at(name)(x);
  return x;
}

InceptionV3::Block& InceptionV3::add_block(const std::string& name) {
  Block& block = blocks_[name];
  add_module(name, block);
  return block;
}

void InceptionV3::add_a(const std::string& name, std::int64_t in,
                        std::int64_t pool) {
  Block& block = add_block(name);
  block.add("branch1x1", in, 64);
  block.add("branch5x5_1", in, 48);
  block.add("branch5x5_2", 48, 64, kFivePadded);
  block.add("branch3x3dbl_1", in, 64);
  block.add("branch3x3dbl_2", 64, 96, kThreePadded);
  block.add("branch3x3dbl_3", 96, 96, kThreePadded);
  block.add("branch_pool", in, pool);
}

void InceptionV3::add_c(const std::string& name, std::int64_t middle) {
  Block& block = add_block(name);
  block.add("branch1x1", 768, 192);
  block.add("branch7x7_1", 768, middle);
  block.add("branch7x7_2", middle, middle, kRowOfSeven);
  block.add("branch7x7_3", middle, 192, kColumnOfSeven);
  block.add("branch7x7dbl_1", 768, middle);
  block.add("branch7x7dbl_2", middle, middle, kColumnOfSeven);
  block.add("branch7x7dbl_3", middle, middle, kRowOfSeven);
  block.add("branch7x7dbl_4", middle, middle, kColumnOfSeven);
  block.add("branch7x7dbl_5", middle, 192, kRowOfSeven);
  block.add("branch_pool", 768, 192);
}

void InceptionV3::add_e(const std::string& name, std::int64_t in) {
  Block& block = add_block(name);
  block.add("branch1x1", in, 320);
  block.add("branch3x3_1", in, 384);
  block.add("branch3x3_2a", 384, 384, kRowOfThree);
  block.add("branch3x3_2b", 384, 384, kColumnOfThree);
  block.add("branch3x3dbl_1", in, 448);
  block.add("branch3x3dbl_2", 448, 384, kThreePadded);
  block.add("branch3x3dbl_3a", 384, 384, kRowOfThree);
  block.add("branch3x3dbl_3b", 384, 384, kColumnOfThree);
  block.add("branch_pool", in, 192);
}

InceptionV3::InceptionV3() {
  const auto stem = [this](const char* name, std::int64_t in, std::int64_t out,
                           Options options) {
    add_module(name, stem_.try_emplace(name, in, out, options).first->second);
  };
  stem("Conv2d_1a_3x3", 3, 32, kThreeStrided);
  stem("Conv2d_2a_3x3", 32, 32, kThree);
  stem("Conv2d_2b_3x3", 32, 64, kThreePadded);
  stem("Conv2d_3b_1x1", 64, 80, {});
  stem("Conv2d_4a_3x3", 80, 192, kThree);
  add_a("Mixed_5b", 192, 32);
  add_a("Mixed_5c", 256, 64);
  add_a("Mixed_5d", 288, 64);
  Block& b = add_block("Mixed_6a");
  b.add("branch3x3", 288, 384, kThreeStrided);
  b.add("branch3x3dbl_1", 288, 64);
  b.add("branch3x3dbl_2", 64, 96, kThreePadded);
  b.add("branch3x3dbl_3", 96, 96, kThreeStrided);
  add_c("Mixed_6b", 128);
  add_c("Mixed_6c", 160);
  add_c("Mixed_6d", 160);
  add_c("Mixed_6e", 192);
  Block& d = add_block("Mixed_7a");
  d.add("branch3x3_1", 768, 192);
  d.add("branch3x3_2", 192, 320, kThreeStrided);
  d.add("branch7x7x3_1", 768, 192);
  d.add("branch7x7x3_2", 192, 192, kRowOfSeven);
  d.add("branch7x7x3_3", 192, 192, kColumnOfSeven);
  d.add("branch7x7x3_4", 192, 192, kThreeStrided);
  add_e("Mixed_7b", 1280);
  add_e("Mixed_7c", 2048);
}

void InceptionV3::load(StateDict state, const std::string& source) {
  const std::string counter = "num_batches_tracked";
  std::erase_if(state, [&](const auto& entry) {
    const std::string& name = entry.first;
    return name == "fc.weight" || name == "fc.bias" ||
           (name.size() >= counter.size() &&
            name.compare(name.size() - counter.size(), counter.size(),
                         counter) == 0);
  });
  load_state(state, source);
  requires_grad(false);
}

at::Tensor InceptionV3::run_a(const std::string& name,
                              const at::Tensor& x) const {
  const Block& b = blocks_.at(name);
  return at::cat(
      {b.run(x, {"branch1x1"}), b.run(x, {"branch5x5_1", "branch5x5_2"}),
       b.run(x, {"branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3"}),
       b.run(mean_of_neighbours(x), {"branch_pool"})},
      1);
}

at::Tensor InceptionV3::run_c(const std::string& name,
                              const at::Tensor& x) const {
  const Block& b = blocks_.at(name);
  return at::cat(
      {b.run(x, {"branch1x1"}),
       b.run(x, {"branch7x7_1", "branch7x7_2", "branch7x7_3"}),
       b.run(x, {"branch7x7dbl_1", "branch7x7dbl_2", "branch7x7dbl_3",
                 "branch7x7dbl_4", "branch7x7dbl_5"}),
       b.run(mean_of_neighbours(x), {"branch_pool"})},
      1);
}

at::Tensor InceptionV3::run_e(const std::string& name, const at::Tensor& x,
                              bool maximum) const {
  const Block& b = blocks_.at(name);
  const at::Tensor three = b.run(x, {"branch3x3_1"});
  const at::Tensor twice = b.run(x, {"branch3x3dbl_1", "branch3x3dbl_2"});
  const at::Tensor pooled =
      maximum ? at::max_pool2d(x, 3, 1, 1) : mean_of_neighbours(x);
  return at::cat(
      {b.run(x, {"branch1x1"}), b.run(three, {"branch3x3_2a"}),
       b.run(three, {"branch3x3_2b"}), b.run(twice, {"branch3x3dbl_3a"}),
       b.run(twice, {"branch3x3dbl_3b"}), b.run(pooled, {"branch_pool"})},
      1);
}

at::Tensor InceptionV3::resize(const at::Tensor& images, std::int64_t height,
                               std::int64_t width) {
  const Taps rows = taps(images.size(2), height);
  const Taps columns = taps(images.size(3), width);
  const auto across = [&](const at::Tensor& line) {
    const at::Tensor left = line.index_select(3, columns.low);
    return left + (line.index_select(3, columns.high) - left) * columns.part;
  };
  const at::Tensor top = across(images.index_select(2, rows.low));
  const at::Tensor bottom = across(images.index_select(2, rows.high));
  return top + (bottom - top) * rows.part.unsqueeze(1);
}

at::Tensor InceptionV3::features(const at::Tensor& images) const {
  SONO_CHECK(images.dim() == 4 && images.size(1) == 3,
             "images " << images.sizes());
  const at::NoGradGuard no_grad;
  at::Tensor x = (resize(images, kImageSizePx, kImageSizePx) - 128) / 128;
  for (const char* name : {"Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3"}) {
    x = stem_.at(name)(x);
  }
  x = halved(x);
  for (const char* name : {"Conv2d_3b_1x1", "Conv2d_4a_3x3"}) {
    x = stem_.at(name)(x);
  }
  x = halved(x);
  for (const char* name : {"Mixed_5b", "Mixed_5c", "Mixed_5d"}) {
    x = run_a(name, x);
  }
  const Block& b = blocks_.at("Mixed_6a");
  x = at::cat({b.run(x, {"branch3x3"}),
               b.run(x, {"branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3"}),
               halved(x)},
              1);
  for (const char* name : {"Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"}) {
    x = run_c(name, x);
  }
  const Block& d = blocks_.at("Mixed_7a");
  x = at::cat({d.run(x, {"branch3x3_1", "branch3x3_2"}),
               d.run(x, {"branch7x7x3_1", "branch7x7x3_2", "branch7x7x3_3",
                         "branch7x7x3_4"}),
               halved(x)},
              1);
  x = run_e("Mixed_7b", x, /*maximum=*/false);
  x = run_e("Mixed_7c", x, /*maximum=*/true);
  return x.mean({2, 3});
}

}  // namespace sono
