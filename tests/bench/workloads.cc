#include "tests/bench/workloads.h"

#include <array>
#include <map>

#include "core/error.h"
#include "core/random.h"

namespace sono::bench {
namespace {

constexpr std::uint64_t kSeed = 1;
constexpr std::int64_t kBatchSize = 8;

at::Tensor normal(const std::string& name, at::IntArrayRef shape) {
  at::Tensor values = at::empty(shape, at::kFloat);
  Random random(make_key("bench." + name, kSeed));
  random.fill_normal(values.mutable_data_ptr<float>(),
                     static_cast<std::size_t>(values.numel()));
  return values;
}

class UNetWorkload : public Workload {
 public:
  UNetWorkload()
      : unet_(unet_of_widths({64, 128, 160, 192})),
        images_(normal("images", {kBatchSize, 8, 48, 64})),
        targets_(normal("targets", {kBatchSize, 4, 48, 64})),
        timesteps_(at::arange(kBatchSize, at::kLong) * 100 + 50) {
    unet_.initialize(kSeed);
    unet_.requires_grad(true);
  }

  std::int64_t batch_size() const override { return kBatchSize; }
  NamedTensors parameters() override { return unet_.named_parameters(); }

  at::Tensor loss(std::int64_t /*step*/, std::int64_t begin,
                  std::int64_t end) override {
    const at::Tensor output =
        unet_(images_.slice(0, begin, end), timesteps_.slice(0, begin, end));
    const at::Tensor error = output - targets_.slice(0, begin, end);
    return error.square().mean({1, 2, 3}).sum() / kBatchSize;
  }

 private:
  UNet unet_;
  at::Tensor images_, targets_, timesteps_;
};

// x -> B A x, rank 128.
class Adapter : public Module {
 public:
  Adapter(std::int64_t in, std::int64_t out)
      : down_(add_parameter("lora_down", {kRank, in}, kNormal)),
        up_(add_parameter("lora_up", {out, kRank}, kNormal)) {}

  at::Tensor operator()(const at::Tensor& x) const {
    return at::linear(at::linear(x, down_), up_);
  }

 private:
  static constexpr std::int64_t kRank = 128;
  static constexpr Initializer kNormal{Initializer::Kind::kNormal, 0.02};
  at::Tensor down_, up_;
};

// Self-attention's and cross-attention's four projections, as sums.
class AdapterBlock : public Module {
 public:
  static constexpr std::int64_t kContext = 768;  // width of a text token

  explicit AdapterBlock(std::int64_t channels) : channels_(channels) {
    for (int i = 0; i < 8; ++i) {
      const bool from_text = i == 5 || i == 6;  // the second k and v
      adapters_[i] =
          std::make_unique<Adapter>(from_text ? kContext : channels, channels);
      add_module(std::to_string(i), *adapters_[i]);
    }
  }

  at::Tensor operator()(const at::Tensor& x, const at::Tensor& context) const {
    at::Tensor y = x;
    for (int i = 0; i < 4; ++i) y = y + (*adapters_[i])(x);
    at::Tensor z = y + (*adapters_[4])(y) + (*adapters_[7])(y);
    return z + (*adapters_[5])(context) + (*adapters_[6])(context);
  }

  std::int64_t channels() const { return channels_; }

 private:
  std::int64_t channels_;
  std::array<std::unique_ptr<Adapter>, 8> adapters_;
};

class LoraWorkload : public Workload, private Module {
 public:
  LoraWorkload() : context_(normal("context", {kBatchSize, kTokens, 768})) {
    for (const std::int64_t channels :
         {320, 320, 640, 640, 1280, 1280, 1280, 1280, 1280, 1280, 640, 640, 640,
          320, 320, 320}) {
      add_module(
          std::to_string(blocks_.size()),
          *blocks_.emplace_back(std::make_unique<AdapterBlock>(channels)));
    }
    for (const std::int64_t channels : {320, 640, 1280}) {
      inputs_[channels] = normal("input" + std::to_string(channels),
                                 {kBatchSize, kTokens, channels});
    }
    initialize(kSeed);
    requires_grad(true);
  }

  std::int64_t batch_size() const override { return kBatchSize; }
  NamedTensors parameters() override { return named_parameters(); }

  at::Tensor loss(std::int64_t /*step*/, std::int64_t begin,
                  std::int64_t end) override {
    std::map<std::int64_t, at::Tensor> states;
    for (const auto& [channels, input] : inputs_) {
      states[channels] = input.slice(0, begin, end);
    }
    const at::Tensor context = context_.slice(0, begin, end);
    for (const auto& block : blocks_) {
      at::Tensor& state = states[block->channels()];
      state = (*block)(state, context);
    }
    at::Tensor sum = at::zeros({});
    for (const auto& [channels, state] : states) {
      sum = sum + state.square().mean({1, 2}).sum();
    }
    return sum / kBatchSize;
  }

 private:
  static constexpr std::int64_t kTokens = 16;
  std::vector<std::unique_ptr<AdapterBlock>> blocks_;
  std::map<std::int64_t, at::Tensor> inputs_;
  at::Tensor context_;
};

}  // namespace

UNetConfig unet_of_widths(const std::vector<std::int64_t>& widths) {
  UNetConfig config;
  config.in_channels = 8;
  config.out_channels = 4;
  config.block_out_channels = widths;
  config.attention = {false, false, true, true};
  config.layers_per_block = 1;
  config.attention_head_dim = 32;
  config.norm_num_groups = 8;
  return config;
}

std::unique_ptr<Workload> make_workload(const std::string& name) {
  if (name == "unet") return std::make_unique<UNetWorkload>();
  if (name == "lora") return std::make_unique<LoraWorkload>();
  throw ConfigError("workload " + name + ": choose unet or lora");
}

UNetConfig stable_diffusion_unet() {
  UNetConfig config;
  config.in_channels = config.out_channels = 4;
  config.block_out_channels = {320, 640, 1280, 1280};
  config.attention = {true, true, true, false};
  config.cross_attention_dim = 768;
  config.num_attention_heads = {8, 8, 8, 8};
  config.transformer_layers = {1, 1, 1, 1};
  config.only_cross_attention = {false, false, false, false};
  return config;
}

}  // namespace sono::bench
