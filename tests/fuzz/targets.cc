#include "tests/fuzz/targets.h"

#include <string>

#include "core/check.h"
#include "models/io/config_json.h"
#include "models/io/pickle.h"
#include "models/io/safetensors.h"
#include "models/io/torch_pickle.h"
#include "models/io/weight_file.h"
#include "models/text/clip_tokenizer.h"
#include "tests/fuzz/target_input.h"

namespace sono::fuzz {
namespace {

namespace fs = std::filesystem;

void read_all(const StateDict& state) {
  unsigned sum = 0;
  for (const auto& [name, tensor] : state) {
    const auto* bytes = static_cast<const std::uint8_t*>(tensor.data_ptr());
    const auto count = static_cast<std::size_t>(tensor.nbytes());
    for (std::size_t i = 0; i < count; ++i) sum += bytes[i];
  }
  volatile unsigned kept = sum;
  (void)kept;
}

const fs::path& tokenizer_fixture() {
  static const fs::path kFolder =
      fs::path(SONO_SOURCE_DIR) / "tests/parity/fixtures/clip_tokenizer";
  return kFolder;
}

void restore_tokenizer(const Folder& folder) {
  for (const auto& entry : fs::directory_iterator(folder.path())) {
    fs::remove(entry.path());
  }
  for (const char* name : {"vocab.json", "merges.txt"}) {
    fs::copy_file(tokenizer_fixture() / name, folder.path() / name);
  }
}

void load_changed_tokenizer(const std::string& name, std::string_view bytes) {
  static const Folder kFolder;
  restore_tokenizer(kFolder);
  if (name == "tokenizer.json") fs::remove(kFolder.path() / "vocab.json");
  kFolder.write(name, bytes);
  const ClipTokenizer tokenizer(kFolder.path());
  const EncodedPrompt prompt = tokenizer.encode("A photo, \xc3\xa9 12 it's");
  SONO_CHECK_EQ(static_cast<std::int64_t>(prompt.ids.size()),
                tokenizer.max_length());
}

}  // namespace

int fuzz_safetensors(const std::uint8_t* data, std::size_t size) {
  const MemoryFile file(data, size);
  refused_or_done([&] { read_all(load_safetensors(file.path())); });
  return refused_or_done([&] { read_all(map_safetensors(file.path())); });
}

int fuzz_index(const std::uint8_t* data, std::size_t size) {
  static const Folder kFolder;
  kFolder.write("model.safetensors.index.json", text_of(data, size));
  return refused_or_done([&] {
    read_all(map_weights(kFolder.path() / "model.safetensors.index.json"));
  });
}

int fuzz_checkpoint(const std::uint8_t* data, std::size_t size) {
  const MemoryFile file(data, size);
  return refused_or_done([&] { read_all(load_torch_checkpoint(file.path())); });
}

int fuzz_pickle(const std::uint8_t* data, std::size_t size) {
  return refused_or_done([&] {
    const PickleValues values = parse_pickle(text_of(data, size), "fuzz");
    SONO_CHECK(values.root < values.nodes.size(), "the root does not exist");
    for (const PickleNode& node : values.nodes) {
      for (std::uint32_t item : node.items) (void)values.at(item);
    }
  });
}

int fuzz_config(const std::uint8_t* data, std::size_t size) {
  return refused_or_done([&] {
    ConfigJson json(text_of(data, size), "config.json");
    refused_or_done([&] { (void)json.expect_class({"UNet2DModel"}); });
    refused_or_done([&] { (void)json.integer("channels", {}, 3); });
    refused_or_done([&] { (void)json.number("eps", {}, 1e-5); });
    refused_or_done([&] { (void)json.boolean("flag", true); });
    refused_or_done([&] { (void)json.text("act", "silu"); });
    refused_or_done([&] { (void)json.integer_each("heads", 3, {}, 8); });
    refused_or_done([&] { (void)json.boolean_each("only", 3, false); });
    refused_or_done([&] { (void)json.texts("blocks", {{"A"}}); });
    refused_or_done([&] { (void)json.numbers("betas", {}, {{0.1}}); });
    refused_or_done([&] { (void)json.optional_integer("classes"); });
    refused_or_done([&] { json.only("scale", 1); });
    json.finish();
  });
}

int fuzz_tokenizer(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  constexpr const char* kFiles[] = {"vocab.json", "merges.txt",
                                    "tokenizer_config.json", "tokenizer.json",
                                    "special_tokens_map.json"};
  constexpr std::size_t kChoices = std::size(kFiles) + 1;
  const std::size_t choice = data[0] % kChoices;
  const std::string_view rest = text_of(data + 1, size - 1);
  return refused_or_done([&] {
    if (choice + 1 < kChoices) {
      load_changed_tokenizer(kFiles[choice], rest);
    } else {
      static const ClipTokenizer kTokenizer(tokenizer_fixture());
      (void)kTokenizer.encode(rest);
    }
  });
}

}  // namespace sono::fuzz
