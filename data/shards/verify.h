#pragma once
// A data set's files against their checksums, and what becomes of damage.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace sono {

struct DatasetProblem {
  std::int64_t shard = -1;  // -1: a file of the data set as a whole
  std::string message;      // starts with the file's path
  // Where the tar is whole and only the index is not: the index's SHA-256.
  std::string index_sha256 = "";
};

// Every file against its checksum; empty when all is well. Reads everything,
// a shard at a time. Where manifest.json or shards.jsonl is damaged the shards
// are held against their own indexes.
std::vector<DatasetProblem> check_dataset(const std::filesystem::path& folder);

// DataError that names each bad file and the remedy.
void verify_dataset(const std::filesystem::path& folder);

struct MendReport {
  std::vector<DatasetProblem> problems;  // as found
  std::vector<std::int64_t> rebuilt;     // shards whose index is there again
  std::vector<std::int64_t> removed;     // shards to be generated again
  bool complete = false;  // nothing has to be generated: it is whole now
};

// Makes a lost or damaged index again from its tar, removes damaged shards, so
// that running the same generation again makes them, and only them, anew, and
// writes manifest.json and shards.jsonl again where no shard is missing. Brings
// a data set of format 1 up to date. Not while a generation is at work on the
// folder.
MendReport mend_dataset(const std::filesystem::path& folder);

}  // namespace sono
