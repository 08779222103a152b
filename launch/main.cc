// `sonoforge`: runs one subcommand. Errors are caught here and nowhere else.

#include <cstdio>
#include <new>

#include "core/allocator.h"
#include "core/error.h"
#include "core/message.h"
#include "dist/rank_guard.h"
#include "dist/stop_signal.h"
#include "launch/command.h"

namespace {

int fail(const char* message, int exit_code) {
  std::fflush(stdout);
  std::fprintf(stderr, "sonoforge: %s\n", message);
  return exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  sono::keep_freed_memory();
  try {
    const std::vector<std::string> args(argv + 1, argv + argc);
    const sono::Command* command = sono::called_command(args);
    if (command != nullptr && command->distributed) {
      const auto code = sono::guard_rank(sono::process_environment());
      if (code) return *code;  // of the guard; the rank goes on
    }
    if (command != nullptr && command->resumable) {
      sono::StopSignal::install_handlers();
    }
    sono::configure_log(/*rank=*/0);
    return sono::run_command_line(args);
  } catch (const sono::Error& error) {
    return fail(error.what(), error.exit_code());
  } catch (const std::bad_alloc&) {
    return fail("out of memory; use fewer workers or a smaller batch", 6);
  } catch (const std::exception& error) {  // c10::Error among them
    return fail(error.what(), 1);
  }
}
