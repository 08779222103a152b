#include "models/io/torch_pickle.h"

#include <algorithm>
#include <array>
#include <bit>

#include "core/error.h"
#include "models/io/file_reader.h"
#include "models/io/mapped_file.h"
#include "models/io/pickle.h"
#include "models/io/zip_archive.h"

namespace sono {
namespace {

using Kind = PickleNode::Kind;

static_assert(std::endian::native == std::endian::little,
              "storages are read as they lie in the file");

constexpr int kMaxDimensions = 16;

struct StorageType {
  const char* name;
  at::ScalarType type;
};

constexpr std::array kStorageTypes = {
    StorageType{"FloatStorage", at::kFloat},
    StorageType{"DoubleStorage", at::kDouble},
    StorageType{"HalfStorage", at::kHalf},
    StorageType{"BFloat16Storage", at::kBFloat16},
    StorageType{"LongStorage", at::kLong},
    StorageType{"IntStorage", at::kInt},
    StorageType{"ShortStorage", at::kShort},
    StorageType{"CharStorage", at::kChar},
    StorageType{"ByteStorage", at::kByte},
    StorageType{"BoolStorage", at::kBool}};

class Checkpoint {
 public:
  explicit Checkpoint(const std::filesystem::path& path) : file_(path) {
    refuse_old_format();
    entries_ = read_zip_directory(file_);
    mapping_ = MappedFile::open(path);
    find_pickle();
    check_byte_order();
    const ZipEntry& pickle = entries_.at(prefix_ + "data.pkl");
    values_ = parse_pickle(file_.read(pickle.data_offset, pickle.size_bytes),
                           file_.name());
  }

  StateDict tensors() {
    const PickleNode& dict = state_dict();
    StateDict state;
    for (std::size_t i = 0; i < dict.items.size(); i += 2) {
      const PickleNode& key = values_.at(dict.items[i]);
      if (key.kind != Kind::kText) refuse("a key of the dictionary is no text");
      const PickleNode& value = values_.at(dict.items[i + 1]);
      if (value.kind == Kind::kOpaque || value.kind == Kind::kGlobal) {
        refuse(key.text + " is made by " + value.text + ", not a tensor");
      }
      if (value.kind != Kind::kTensor) refuse(key.text + " is not a tensor");
      state[key.text] = tensor(key.text, value);
    }
    if (state.empty()) refuse("it holds no tensors");
    return state;
  }

 private:
  [[noreturn]] void refuse(const std::string& why) const {
    throw DataError(file_.name() + ": not a usable checkpoint: " + why);
  }

  // Before torch 1.6 a file was a row of pickles; the first is this number.
  void refuse_old_format() const {
    constexpr std::string_view kMagic(
        "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 14);
    if (file_.size_bytes() < kMagic.size() ||
        file_.read(0, kMagic.size()) != kMagic) {
      return;
    }
    refuse(
        "it is in the format of torch before 1.6; write it anew, in Python: "
        "torch.save(torch.load(path, weights_only=True), path)");
  }

  // torch.save puts everything under one folder named after the file.
  void find_pickle() {
    for (const auto& [name, entry] : entries_) {
      const std::size_t slash = name.find('/');
      if (slash == std::string::npos || name.substr(slash) != "/data.pkl") {
        continue;
      }
      prefix_ = name.substr(0, slash + 1);
      return;
    }
    refuse("no data.pkl inside");
  }

  void check_byte_order() const {
    const auto found = entries_.find(prefix_ + "byteorder");
    if (found == entries_.end()) return;
    if (found->second.size_bytes > 16 ||
        file_.read(found->second.data_offset, found->second.size_bytes) !=
            "little") {
      refuse("its numbers are not little-endian");
    }
  }

  const PickleNode& state_dict() const {
    const PickleNode* dict = &values_.at(values_.root);
    if (dict->kind != Kind::kDict) refuse("it holds no dictionary");
    for (std::size_t i = 0; i < dict->items.size(); i += 2) {
      const PickleNode& key = values_.at(dict->items[i]);
      const PickleNode& value = values_.at(dict->items[i + 1]);
      if (key.kind == Kind::kText && value.kind == Kind::kDict &&
          (key.text == "model" || key.text == "state_dict")) {
        return value;
      }
    }
    return *dict;
  }

  // The whole storage, 1-d; mapped once, however many tensors share it.
  const at::Tensor& storage(const std::string& tensor_name,
                            const PickleNode& node) {
    const auto known = storages_.find(node.text);
    if (known != storages_.end()) {
      if (storage_types_.at(node.text) != node.storage_type) {
        refuse("storage " + node.text + " has two types");
      }
      return known->second;
    }
    const auto entry = entries_.find(prefix_ + "data/" + node.text);
    if (entry == entries_.end()) {
      refuse(tensor_name + ": its storage " + node.text + " is missing");
    }
    const at::ScalarType type = scalar_type(node.storage_type);
    const std::uint64_t item_bytes = at::elementSize(type);
    const std::uint64_t bytes = entry->second.size_bytes;
    if (node.integer < 0 || bytes % item_bytes != 0 ||
        static_cast<std::uint64_t>(node.integer) != bytes / item_bytes) {
      refuse(tensor_name + ": its storage holds " + std::to_string(bytes) +
             " bytes, not " + std::to_string(node.integer) + " elements");
    }
    storage_types_[node.text] = node.storage_type;
    return storages_[node.text] = mapping_->tensor(entry->second.data_offset,
                                                   {node.integer}, type);
  }

  at::ScalarType scalar_type(const std::string& storage_type) const {
    for (const auto& known : kStorageTypes) {
      if (storage_type == known.name) return known.type;
    }
    refuse("unknown storage type " + storage_type);
  }

  std::vector<std::int64_t> integers(const PickleNode& tuple) const {
    std::vector<std::int64_t> all;
    for (std::uint32_t item : tuple.items)
      all.push_back(values_.at(item).integer);
    return all;
  }

  at::Tensor tensor(const std::string& name, const PickleNode& node) {
    const at::Tensor& values = storage(name, values_.at(node.items[0]));
    const std::int64_t offset = values_.at(node.items[1]).integer;
    const auto sizes = integers(values_.at(node.items[2]));
    const auto strides = integers(values_.at(node.items[3]));
    check_view(name, values.numel(), offset, sizes, strides);
    return values.as_strided(sizes, strides, offset).contiguous();
  }

  // Refuses views that leave their storage, or repeat it into absurd sizes.
  void check_view(const std::string& name, std::int64_t storage_count,
                  std::int64_t offset, const std::vector<std::int64_t>& sizes,
                  const std::vector<std::int64_t>& strides) const {
    const std::string what = name + ": reaches outside its storage";
    if (sizes.size() != strides.size() || sizes.size() > kMaxDimensions ||
        offset < 0) {
      refuse(what);
    }
    bool empty = false;
    std::int64_t count = 1, last = offset;
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      empty |= sizes[i] == 0;
      const std::int64_t size = std::max<std::int64_t>(sizes[i], 1);
      std::int64_t reach = 0;
      if (sizes[i] < 0 || strides[i] < 0 ||
          __builtin_mul_overflow(count, size, &count) ||
          __builtin_mul_overflow(size - 1, strides[i], &reach) ||
          __builtin_add_overflow(last, reach, &last)) {
        refuse(what);
      }
    }
    const bool outside = count > storage_count || last >= storage_count;
    if (offset > storage_count || (outside && !empty)) refuse(what);
  }

  FileReader file_;
  std::shared_ptr<MappedFile> mapping_;
  std::map<std::string, ZipEntry> entries_;
  std::string prefix_;
  PickleValues values_;
  std::map<std::string, at::Tensor> storages_;
  std::map<std::string, std::string> storage_types_;
};

}  // namespace

StateDict load_torch_checkpoint(const std::filesystem::path& path) {
  return Checkpoint(path).tensors();
}

}  // namespace sono
