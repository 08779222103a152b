#include "data/layouts/pseudonyms.h"

#include "core/atomic_file.h"
#include "core/error.h"
#include "core/hash.h"

namespace sono {

Pseudonyms::Pseudonyms(const std::filesystem::path& salt_file) {
  if (salt_file.empty()) return;
  secret_ = read_file(salt_file);
  constexpr std::size_t kLeastBytes = 16;
  if (secret_.size() < kLeastBytes) {
    throw ConfigError("option data.salt_file = " + salt_file.string() +
                      ": fewer than 16 bytes, too easy to guess; fill it with "
                      "`openssl rand -hex 32`");
  }
}

void Pseudonyms::add(const std::string& identifier,
                     const std::string& file_hash) {
  if (identifier.empty()) return;
  std::string& least = least_[identifier];
  if (least.empty() || file_hash < least) least = file_hash;
}

std::string Pseudonyms::key(const std::string& identifier) const {
  if (identifier.empty()) return "";
  const std::string salt = secret_.empty() ? least_.at(identifier) : secret_;
  Sha256 hash;
  hash.update("sonoforge pseudonym 1");
  hash.update(sha256_hex(salt));
  hash.update(identifier);
  return hash.hex().substr(0, 16);
}

}  // namespace sono
