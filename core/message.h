#pragma once
// Messages for people from files that use tensors: the LibTorch wheel has its
// own fmt headers, which do not go with spdlog's, so such files cannot include
// core/log.h. The messages go to the same log.

#include <string>

namespace sono {

void log_info(const std::string& text);
void log_warning(const std::string& text);
void log_error(const std::string& text);

}  // namespace sono
