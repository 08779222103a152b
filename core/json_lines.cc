#include "core/json_lines.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>

#include "core/atomic_file.h"

namespace sono {

void JsonLines::append(nlohmann::json line) {
  if (path_.empty()) return;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  line["time"] = std::chrono::duration<double>(now).count();
  const std::string text = line.dump() + "\n";
  std::lock_guard lock(mutex_);
  const int fd =
      ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (fd < 0) throw_file_error(path_, "open", errno);
  const ssize_t written = ::write(fd, text.data(), text.size());
  const int error_number = errno;
  ::close(fd);
  if (written != static_cast<ssize_t>(text.size())) {
    throw_file_error(path_, "write", written < 0 ? error_number : ENOSPC);
  }
}

}  // namespace sono
