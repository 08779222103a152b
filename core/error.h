#pragma once
// Errors that end a command, each with the exit code `main` returns for it.
// A message says what was wrong, where, and what to do about it.

#include <stdexcept>
#include <string>

namespace sono {

// A fault of ours: an invariant did not hold. Base of all other errors.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message) : std::runtime_error(message) {}
  virtual int exit_code() const { return 1; }
};

// The command or the config is wrong; names the option and the remedy.
class ConfigError : public Error {
 public:
  using Error::Error;
  int exit_code() const override { return 2; }
};

// The data are wrong; names the file (and row).
class DataError : public Error {
 public:
  using Error::Error;
  int exit_code() const override { return 3; }
};

// A peer or device failed or stalled; names the peer, host or operation.
class CommError : public Error {
 public:
  using Error::Error;
  int exit_code() const override { return 4; }
};

// Training diverged: too many non-finite steps in a row.
class DivergedError : public Error {
 public:
  using Error::Error;
  int exit_code() const override { return 5; }
};

// Disk or memory exhausted.
class ResourceError : public Error {
 public:
  using Error::Error;
  int exit_code() const override { return 6; }
};

// Stopped on request with everything saved; run again to go on.
class StopRequested : public Error {
 public:
  using Error::Error;
  int exit_code() const override { return 75; }
};

}  // namespace sono
