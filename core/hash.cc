#include "core/hash.h"

#include <openssl/evp.h>
#include <zlib.h>

#include <algorithm>
#include <fstream>
#include <vector>

#include "core/check.h"

namespace sono {

struct Sha256::Context {
  EVP_MD_CTX* md = EVP_MD_CTX_new();
  ~Context() { EVP_MD_CTX_free(md); }
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {
  SONO_CHECK(EVP_DigestInit_ex(context_->md, EVP_sha256(), nullptr) == 1,
             "OpenSSL has no SHA-256");
}
Sha256::~Sha256() = default;

void Sha256::update(std::string_view bytes) {
  update(bytes.data(), bytes.size());
}

void Sha256::update(const void* data, std::size_t size_bytes) {
  SONO_CHECK(EVP_DigestUpdate(context_->md, data, size_bytes) == 1,
             "SHA-256 update");
}

Sha256Digest Sha256::digest() {
  Sha256Digest digest;
  SONO_CHECK(EVP_DigestFinal_ex(context_->md, digest.data(), nullptr) == 1,
             "SHA-256 final");
  return digest;
}

std::string Sha256::hex() { return to_hex(digest()); }

std::string to_hex(const Sha256Digest& digest) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (std::uint8_t byte : digest) {
    text.push_back(kDigits[byte >> 4]);
    text.push_back(kDigits[byte & 15]);
  }
  return text;
}

std::optional<Sha256Digest> digest_from_hex(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  Sha256Digest digest{};
  if (text.size() != 2 * digest.size()) return std::nullopt;
  for (std::size_t k = 0; k < text.size(); ++k) {
    const std::size_t value = kDigits.find(text[k]);
    if (value == std::string_view::npos) return std::nullopt;
    digest[k / 2] = static_cast<std::uint8_t>(digest[k / 2] << 4 | value);
  }
  return digest;
}

Sha256Digest sha256(std::string_view bytes) {
  Sha256Digest digest;
  SONO_CHECK(EVP_Digest(bytes.data(), bytes.size(), digest.data(), nullptr,
                        EVP_sha256(), nullptr) == 1,
             "SHA-256");
  return digest;
}

std::string sha256_hex(std::string_view bytes) { return to_hex(sha256(bytes)); }

std::string sha256_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw DataError(path.string() + ": cannot be read");
  Sha256 hash;
  std::vector<char> buffer(1 << 20);
  while (file) {
    file.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    hash.update(buffer.data(), static_cast<std::size_t>(file.gcount()));
  }
  if (file.bad()) throw DataError(path.string() + ": read error");
  return hash.hex();
}

std::uint32_t crc32(const void* data, std::size_t size_bytes,
                    std::uint32_t seed) {
  return static_cast<std::uint32_t>(
      ::crc32_z(seed, static_cast<const Bytef*>(data), size_bytes));
}

}  // namespace sono
