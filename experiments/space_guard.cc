#include "experiments/space_guard.h"

#include <optional>
#include <thread>

#include "core/disk_space.h"
#include "core/error.h"
#include "core/message.h"
#include "core/progress.h"

namespace sono {
namespace {

constexpr double kBytesPerGb = 1e9;
constexpr auto kPause = std::chrono::milliseconds(500);

}  // namespace

SpaceGuard::SpaceGuard(const RunContext& context, std::filesystem::path folder)
    : context_(context), folder_(std::move(folder)) {}

void SpaceGuard::write(const std::function<void()>& write) {
  std::optional<Clock::time_point> full_since;
  while (true) {
    std::string why = "less than place.min_free_gb free";
    if (has_room()) {
      try {
        return write();
      } catch (const ResourceError& error) {  // a quota, or others were faster
        why = error.what();
      }
    }
    if (!full_since) {
      full_since = Clock::now();
      log_warning(folder_.string() + ": no room (" + why +
                  "); waiting for some");
    }
    check_patience(*full_since, why);
    context_.proceed();
    std::this_thread::sleep_for(kPause);
  }
}

bool SpaceGuard::has_room() const {
  return static_cast<double>(disk_space(folder_).free_bytes) >=
         context_.recipe.place.min_free_gb * kBytesPerGb;
}

void SpaceGuard::check_patience(Clock::time_point since,
                                const std::string& why) const {
  const double most_seconds = context_.recipe.place.full_wait_minutes * 60;
  const std::chrono::duration<double> waited = Clock::now() - since;
  if (waited.count() <= most_seconds) return;
  throw ResourceError(folder_.string() + ": no room for " +
                      duration_text(most_seconds) + " (" + why +
                      "); make room and run the same command again, nothing "
                      "is lost");
}

}  // namespace sono
