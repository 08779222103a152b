#include "models/io/original_names.h"

#include <algorithm>
#include <optional>
#include <set>

namespace sono {
namespace {

using Renames = std::vector<std::pair<std::string, std::string>>;

const Renames kResnet = {
    {"norm1", "in_layers.0"},          {"conv1", "in_layers.2"},
    {"time_emb_proj", "emb_layers.1"}, {"norm2", "out_layers.0"},
    {"conv2", "out_layers.3"},         {"conv_shortcut", "skip_connection"}};
const Renames kUNet = {{"conv_in", "input_blocks.0.0"},
                       {"conv_norm_out", "out.0"},
                       {"conv_out", "out.2"},
                       {"time_embedding.linear_1", "time_embed.0"},
                       {"time_embedding.linear_2", "time_embed.2"},
                       {"class_embedding.linear_1", "label_emb.0.0"},
                       {"class_embedding.linear_2", "label_emb.0.2"},
                       {"class_embedding", "label_emb"},
                       {"controlnet_mid_block", "middle_block_out.0"}};
const Renames kVae = {{"encoder.conv_in", "encoder.conv_in"},
                      {"encoder.conv_norm_out", "encoder.norm_out"},
                      {"encoder.conv_out", "encoder.conv_out"},
                      {"decoder.conv_in", "decoder.conv_in"},
                      {"decoder.conv_norm_out", "decoder.norm_out"},
                      {"decoder.conv_out", "decoder.conv_out"},
                      {"quant_conv", "quant_conv"},
                      {"post_quant_conv", "post_quant_conv"}};
const Renames kVaeResnet = {{"conv_shortcut", "nin_shortcut"},
                            {"norm1", "norm1"},
                            {"norm2", "norm2"},
                            {"conv1", "conv1"},
                            {"conv2", "conv2"}};
const Renames kVaeAttention = {{"group_norm", "norm"},
                               {"to_q", "q"},
                               {"to_k", "k"},
                               {"to_v", "v"},
                               {"to_out.0", "proj_out"}};
const Renames kOpenClip = {
    {"text_model.embeddings.token_embedding", "token_embedding"},
    {"text_model.final_layer_norm", "ln_final"}};
const Renames kOpenClipLayer = {{"layer_norm1", "ln_1"},
                                {"layer_norm2", "ln_2"},
                                {"mlp.fc1", "mlp.c_fc"},
                                {"mlp.fc2", "mlp.c_proj"},
                                {"self_attn.out_proj", "attn.out_proj"}};

// A dotted name, part by part.
class Path {
 public:
  explicit Path(const std::string& name) {
    for (std::size_t at = 0; at <= name.size();) {
      const std::size_t dot = std::min(name.find('.', at), name.size());
      parts_.push_back(name.substr(at, dot - at));
      at = dot + 1;
    }
  }
  // "" beyond the end.
  std::string at(std::size_t i) const {
    return i < parts_.size() ? parts_[i] : "";
  }
  // The number at `i`; -1 when there is none.
  int index(std::size_t i) const {
    const std::string text = at(i);
    const bool digits =
        !text.empty() && text.size() < 4 &&
        text.find_first_not_of("0123456789") == std::string::npos;
    return digits ? std::stoi(text) : -1;
  }
  std::string rest(std::size_t i) const {
    std::string text;
    for (; i < parts_.size(); ++i) {
      text += (text.empty() ? "" : ".") + parts_[i];
    }
    return text;
  }

 private:
  std::vector<std::string> parts_;
};

using Name = std::optional<std::string>;

// `name` with its beginning replaced by the first rule that fits.
Name renamed(const std::string& name, const Renames& rules) {
  for (const auto& [own, original] : rules) {
    if (name.rfind(own + ".", 0) == 0)
      return original + name.substr(own.size());
  }
  return {};
}

Name below(const std::string& prefix, const Name& name) {
  if (!name) return {};
  return prefix + "." + *name;
}

std::string number(int value) { return std::to_string(value); }

// What the flat numbering of a UNet's blocks depends on.
struct UNetLayout {
  int layers = 0;  // resnets a block on the way down
  int hints = 0;   // of a ControlNet's embedding, without first and last
  std::set<int> up_attention;  // blocks on the way up that attend

  explicit UNetLayout(const std::vector<std::string>& names) {
    for (const std::string& name : names) {
      const Path path(name);
      if (path.at(0) == "down_blocks" && path.at(2) == "resnets") {
        layers = std::max(layers, path.index(3) + 1);
      }
      if (path.at(0) == "up_blocks" && path.at(2) == "attentions") {
        up_attention.insert(path.index(1));
      }
      if (path.at(1) == "blocks") hints = std::max(hints, path.index(2) + 1);
    }
  }
};

// Each level has its layers, then one entry for the change of size.
Name down_name(const Path& path, const UNetLayout& layout) {
  if (path.index(1) < 0 || path.index(3) < 0) return {};
  const int first = 1 + path.index(1) * (layout.layers + 1);
  const std::string layer = "input_blocks." + number(first + path.index(3));
  if (path.at(2) == "resnets") {
    return below(layer + ".0", renamed(path.rest(4), kResnet));
  }
  if (path.at(2) == "attentions") return layer + ".1." + path.rest(4);
  if (path.at(2) != "downsamplers" || path.at(4) != "conv") return {};
  return "input_blocks." + number(first + layout.layers) + ".0.op." +
         path.rest(5);
}

// One layer more than on the way down; the last also changes the size.
Name up_name(const Path& path, const UNetLayout& layout) {
  if (path.index(1) < 0 || path.index(3) < 0) return {};
  const int first = path.index(1) * (layout.layers + 1);
  const std::string layer = "output_blocks." + number(first + path.index(3));
  if (path.at(2) == "resnets") {
    return below(layer + ".0", renamed(path.rest(4), kResnet));
  }
  if (path.at(2) == "attentions") return layer + ".1." + path.rest(4);
  if (path.at(2) != "upsamplers") return {};
  const bool attends = layout.up_attention.count(path.index(1)) > 0;
  return "output_blocks." + number(first + layout.layers) +
         (attends ? ".2." : ".1.") + path.rest(4);
}

// Resnet, attention, resnet.
Name middle_name(const Path& path) {
  if (path.index(2) < 0) return {};
  if (path.at(1) == "resnets") {
    return below("middle_block." + number(2 * path.index(2)),
                 renamed(path.rest(3), kResnet));
  }
  if (path.at(1) != "attentions") return {};
  return "middle_block." + number(2 * path.index(2) + 1) + "." + path.rest(3);
}

// Convolutions with an activation between: every second number.
Name hint_name(const Path& path, const UNetLayout& layout) {
  const bool last = path.at(1) == "conv_out";
  if (!last && path.at(1) != "conv_in") {
    return "input_hint_block." + number(2 * path.index(2) + 2) + "." +
           path.rest(3);
  }
  return "input_hint_block." + number(last ? 2 * layout.hints + 2 : 0) + "." +
         path.rest(2);
}

Name unet_name(const std::string& name, const UNetLayout& layout) {
  const Path path(name);
  if (path.at(0) == "down_blocks") return down_name(path, layout);
  if (path.at(0) == "up_blocks") return up_name(path, layout);
  if (path.at(0) == "mid_block") return middle_name(path);
  if (path.at(0) == "controlnet_cond_embedding") return hint_name(path, layout);
  if (path.at(0) == "controlnet_down_blocks") {
    return "zero_convs." + path.at(1) + ".0." + path.rest(2);
  }
  return renamed(name, kUNet);
}

// `levels`: the decoder's blocks are numbered from the other end.
Name vae_name(const std::string& name, int levels) {
  const Path path(name);
  const std::string side = path.at(0);
  if (path.at(1) == "mid_block") {
    const bool resnet = path.at(2) == "resnets";
    const std::string block = resnet ? ".mid.block_" + number(path.index(3) + 1)
                                     : std::string(".mid.attn_1");
    return below(side + block,
                 renamed(path.rest(4), resnet ? kVaeResnet : kVaeAttention));
  }
  if (path.at(1) != "down_blocks" && path.at(1) != "up_blocks") {
    return renamed(name, kVae);
  }
  if (path.index(2) < 0 || path.index(4) < 0) return {};
  const bool down = path.at(1) == "down_blocks";
  const int level = down ? path.index(2) : levels - 1 - path.index(2);
  const std::string block = side + (down ? ".down." : ".up.") + number(level);
  if (path.at(3) == "resnets") {
    return below(block + ".block." + path.at(4),
                 renamed(path.rest(5), kVaeResnet));
  }
  return block + (down ? ".downsample." : ".upsample.") + path.rest(5);
}

int decoder_levels(const std::vector<std::string>& names) {
  int levels = 0;
  for (const std::string& name : names) {
    const Path path(name);
    if (path.at(1) == "up_blocks") levels = std::max(levels, path.index(2) + 1);
  }
  return levels;
}

std::optional<OriginalTensor> open_clip_name(const std::string& name) {
  const Path path(name);
  if (name == "text_model.embeddings.position_embedding.weight") {
    return OriginalTensor{"positional_embedding"};
  }
  if (path.at(1) != "encoder") {
    const Name top = renamed(name, kOpenClip);
    return top ? std::optional(OriginalTensor{*top}) : std::nullopt;
  }
  // text_model.encoder.layers.N.REST
  const std::string block = "transformer.resblocks." + path.at(3);
  const std::string projections[] = {"q_proj", "k_proj", "v_proj"};
  for (int third = 0; third < 3; ++third) {
    if (path.at(4) == "self_attn" && path.at(5) == projections[third]) {
      return OriginalTensor{block + ".attn.in_proj_" + path.at(6), third};
    }
  }
  const Name rest = below(block, renamed(path.rest(4), kOpenClipLayer));
  return rest ? std::optional(OriginalTensor{*rest}) : std::nullopt;
}

}  // namespace

const char* part_name(ModelPart part) {
  switch (part) {
    case ModelPart::kUNet:
      return "unet";
    case ModelPart::kVae:
      return "vae";
    case ModelPart::kTextEncoder:
      return "text_encoder";
    case ModelPart::kControlNet:
      return "controlnet";
  }
  return "";
}

OriginalNames original_names(ModelPart part,
                             const std::vector<std::string>& names) {
  OriginalNames all;
  const UNetLayout layout(names);
  const int levels = decoder_levels(names);
  for (const std::string& name : names) {
    const Name original = part == ModelPart::kTextEncoder ? Name(name)
                          : part == ModelPart::kVae ? vae_name(name, levels)
                                                    : unet_name(name, layout);
    if (original) all[name] = {*original};
  }
  return all;
}

OriginalNames open_clip_names(const std::vector<std::string>& names) {
  OriginalNames all;
  for (const std::string& name : names) {
    if (const auto original = open_clip_name(name)) all[name] = *original;
  }
  return all;
}

}  // namespace sono
