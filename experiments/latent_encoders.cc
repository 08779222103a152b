#include "experiments/latent_encoders.h"

#include "core/message.h"

namespace sono {
namespace {

// int64 [T]
at::Tensor ids_of(const ClipTokenizer& tokenizer, const std::string& caption) {
  const EncodedPrompt prompt = tokenizer.encode(caption);
  if (prompt.dropped > 0) {
    log_warning("the caption '" + caption + "' loses its last " +
                std::to_string(prompt.dropped) +
                " tokens, beyond what the text encoder takes");
  }
  return at::tensor(prompt.ids);
}

}  // namespace

LatentEncoders::LatentEncoders(const Pretrained& model,
                               const std::map<std::string, std::string>& hashes,
                               const LatentEncoderOptions& options)
    : options_(options),
      autoencoder_(read_autoencoder_config(model.config(ModelPart::kVae))),
      text_(ClipTextConfig::read(model.config(ModelPart::kTextEncoder))),
      tokenizer_(
          std::make_shared<const ClipTokenizer>(model.tokenizer_folder())),
      autoencoder_hash_(hashes.at("vae")),
      text_hash_(hashes.at("text_encoder") + hashes.at("tokenizer") +
                 std::to_string(options.clip_skip)) {
  model.load(ModelPart::kVae, autoencoder_);
  text_.check_tokenizer(*tokenizer_, model.tokenizer_folder().string());
  if (!options_.text_is_trained) model.load(ModelPart::kTextEncoder, text_);
}

FrozenEncoders LatentEncoders::frozen() const {
  FrozenEncoders frozen;
  frozen.autoencoder_hash = autoencoder_hash_;
  frozen.text_hash = text_hash_;
  frozen.downscale = autoencoder_.config().downscale();
  frozen.latent_channels = autoencoder_.config().latent_channels;
  frozen.text_width = text_.config().hidden_size;
  frozen.encode = [this](const at::Tensor& image) {
    const LatentMoments moments = autoencoder_.encode(image);
    return at::cat({moments.mean, moments.logvar});
  };
  frozen.embed = [this](const std::string& caption) {
    return text_(ids_of(*tokenizer_, caption).unsqueeze(0),
                 options_.clip_skip)[0];
  };
  if (options_.text_is_trained) {
    // Outlives the encoders.
    frozen.tokenize = [tokenizer = tokenizer_](const std::string& caption) {
      return ids_of(*tokenizer, caption);
    };
  }
  return frozen;
}

}  // namespace sono
