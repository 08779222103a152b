#include "tests/models/lora/tiny_net.h"

#include "models/io/safetensors.h"

namespace sono {
namespace {

constexpr std::int64_t kWidth = 6, kContext = 5, kEmb = 3;

}  // namespace

TinyAttention::TinyAttention(std::int64_t width, std::int64_t context)
    : to_q(width, width, false),
      to_k(context, width, false),
      to_v(context, width, false),
      to_out_0(width, width) {
  add_module("to_q", to_q);
  add_module("to_k", to_k);
  add_module("to_v", to_v);
  add_module("to_out.0", to_out_0);
}

at::Tensor TinyAttention::operator()(const at::Tensor& x,
                                     const at::Tensor& context) const {
  const at::Tensor weights =
      at::softmax(at::matmul(to_q(x), to_k(context).transpose(1, 2)), -1);
  return to_out_0(at::matmul(weights, to_v(context)));
}

TinyNet::TinyNet()
    : conv_in(2, kWidth, {.padding = 1}),
      conv1(kWidth, kWidth, {.padding = 1}),
      proj_in(kWidth, kWidth, {.kernel = 1}),
      proj_out(kWidth, kWidth, {.kernel = 1}),
      conv(kWidth, kWidth, {.stride = 2, .padding = 1}),
      time_emb_proj(kEmb, kWidth),
      ff_in(kWidth, 2 * kWidth),
      ff_out(2 * kWidth, kWidth),
      attn1(kWidth, kWidth),
      attn2(kWidth, kContext) {
  const std::string transformer = "down_blocks.0.attentions.0.";
  const std::string block = transformer + "transformer_blocks.0.";
  add_module("conv_in", conv_in);
  add_module("down_blocks.0.resnets.0.conv1", conv1);
  add_module("down_blocks.0.resnets.0.time_emb_proj", time_emb_proj);
  add_module(transformer + "proj_in", proj_in);
  add_module(block + "attn1", attn1);
  add_module(block + "attn2", attn2);
  add_module(block + "ff.net.0.proj", ff_in);
  add_module(block + "ff.net.2", ff_out);
  add_module(transformer + "proj_out", proj_out);
  add_module("down_blocks.0.downsamplers.0.conv", conv);
}

at::Tensor TinyNet::operator()(const at::Tensor& x, const at::Tensor& context,
                               const at::Tensor& emb) const {
  at::Tensor h = conv_in(x);
  h = h + at::tanh(conv1(h)) + time_emb_proj(emb).unsqueeze(-1).unsqueeze(-1);
  const at::Tensor y = proj_in(h);
  at::Tensor tokens = y.flatten(2).transpose(1, 2);
  tokens = tokens + attn1(tokens, tokens);
  tokens = tokens + attn2(tokens, context);
  tokens = tokens + ff_out(at::tanh(ff_in(tokens)));
  h = h + proj_out(tokens.transpose(1, 2).reshape(y.sizes()));
  return conv(h);
}

std::string lora_fixture(const std::string& name) {
  return SONO_SOURCE_DIR "/tests/parity/fixtures/lora/" + name;
}

TinyFixture::TinyFixture()
    : base(load_safetensors(lora_fixture("base.safetensors"))) {
  StateDict state;
  for (const auto& [name, tensor] : base) {
    if (name.rfind("param.", 0) == 0) state[name.substr(6)] = tensor;
  }
  net.load_state(state, "base.safetensors");
}

at::Tensor TinyFixture::run() const {
  return net(base.at("x"), base.at("context"), base.at("emb"));
}

double difference(const at::Tensor& a, const at::Tensor& b) {
  return ((a - b).abs().max() / b.abs().max()).item<double>();
}

}  // namespace sono
