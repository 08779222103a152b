#pragma once
// Keys that stand for DICOM's patients and studies. A key is the first 16
// digits of SHA-256 over a salt and the identifier. The salt is a secret of the
// user's, equal for all cohorts where a patient is to be known again; or, by
// default, the least SHA-256 among the patient's own files: only who has the
// files, and so the identifiers, can make the key again.

#include <filesystem>
#include <map>
#include <string>

namespace sono {

class Pseudonyms {
 public:
  // `salt_file` empty: salts from the files. DataError when it cannot be read;
  // ConfigError when it holds fewer than 16 bytes.
  explicit Pseudonyms(const std::filesystem::path& salt_file);

  // Tells of a file, by its SHA-256, before any key is asked for. An empty
  // identifier is unknown and does nothing.
  void add(const std::string& identifier, const std::string& file_hash);

  // The key; "" for an unknown identifier.
  std::string key(const std::string& identifier) const;

 private:
  std::string secret_;
  std::map<std::string, std::string> least_;  // hash by identifier
};

}  // namespace sono
