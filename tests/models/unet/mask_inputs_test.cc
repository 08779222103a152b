// What a UNet is given to see a mask: added input channels, and a ControlNet
// made of its own way down.

#include <gtest/gtest.h>

#include "core/error.h"
#include "models/unet/config_file.h"

namespace sono {
namespace {

constexpr char kUNet[] = R"({"_class_name": "UNet2DConditionModel",
 "in_channels": 4, "out_channels": 4, "block_out_channels": [8, 16],
 "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
 "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"],
 "layers_per_block": 1, "cross_attention_dim": 8, "attention_head_dim": 2,
 "norm_num_groups": 4})";

class MaskInputs : public testing::Test {
 protected:
  MaskInputs() : unet(read_unet_config(ConfigJson(kUNet, "unet"))) {
    unet.initialize(3);
  }

  at::Tensor call(const UNet& net, const at::Tensor& x,
                  const ControlResiduals* control = nullptr) const {
    const at::NoGradGuard no_grad;
    return net(x, timesteps, {.text = text}, control);
  }

  UNet unet;
  at::Tensor sample = at::linspace(-1, 1, 2 * 4 * 8 * 6).view({2, 4, 8, 6});
  at::Tensor mask = at::linspace(-1, 1, 2 * 8 * 6).view({2, 1, 8, 6});
  at::Tensor timesteps = at::tensor({10, 700});
  at::Tensor text = at::linspace(-1, 1, 2 * 5 * 8).view({2, 5, 8});
};

TEST_F(MaskInputs, AddedChannelsAreAWiderConvIn) {
  const at::Tensor before = call(unet, sample);
  unet.add_input_channels(1);
  const at::Tensor both = at::cat({sample, mask}, 1);
  EXPECT_TRUE(at::equal(call(unet, both), before)) << "they start at zero";
  unet.added_input_weight().fill_(0.1);

  UNetConfig wide_config = unet.config();
  wide_config.in_channels = 5;
  UNet wide(wide_config);
  StateDict state = unet.state();
  state["conv_in.weight"] = at::cat(
      {state.at("conv_in.weight"), state.at("conv_in_added.weight")}, 1);
  state.erase("conv_in_added.weight");
  wide.load_state(state, "wide");
  const at::Tensor got = call(unet, both);
  EXPECT_LT((got - call(wide, both)).abs().max().item<double>(), 1e-5);
  EXPECT_GT((got - before).abs().max().item<double>(), 1e-3);
}

TEST_F(MaskInputs, AControlNetStartsAsItsUNetAndChangesNothing) {
  ControlNet net(controlnet_config_of(unet.config(), /*factor=*/2));
  net.start_from(unet, 5);
  const StateDict own = net.state(), theirs = unet.state();
  EXPECT_TRUE(at::equal(own.at("mid_block.resnets.0.conv1.weight"),
                        theirs.at("mid_block.resnets.0.conv1.weight")));
  const at::Tensor image = at::ones({2, 3, 16, 12});
  const at::NoGradGuard no_grad;
  const ControlResiduals residuals =
      net(sample, timesteps, {.text = text}, image);
  EXPECT_TRUE(at::equal(call(unet, sample, &residuals), call(unet, sample)));
  // The first step can change the residuals' convolutions, and then all else.
  EXPECT_GT(own.at("controlnet_cond_embedding.conv_in.weight")
                .abs()
                .max()
                .item<double>(),
            0);
}

TEST_F(MaskInputs, AControlNetsConfigReadsBack) {
  const ControlNetConfig config = controlnet_config_of(unet.config(), 8);
  const std::string written = controlnet_json(config).dump();
  const ControlNetConfig back =
      read_controlnet_config(ConfigJson(written, "config.json"));
  EXPECT_EQ(controlnet_json(back), controlnet_json(config));
  EXPECT_EQ(back.conditioning_widths, config.conditioning_widths);
  ControlNet one(config), other(back);
  EXPECT_EQ(one.state().size(), other.state().size());
  other.load_state(one.state(), "state");
}

TEST_F(MaskInputs, NoControlNetOfAUNetWithoutText) {
  UNetConfig config = unet.config();
  config.cross_attention_dim = 0;
  EXPECT_THROW(controlnet_config_of(config, 8), ConfigError);
  EXPECT_THROW(controlnet_config_of(unet.config(), 16), ConfigError);
}

}  // namespace
}  // namespace sono
