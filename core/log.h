#pragma once
// core/message.h and spdlog's own formatted calls, which go to the same log.
// Not for files that use tensors: the LibTorch wheel has its own fmt headers,
// which do not go with spdlog's.

#include <spdlog/spdlog.h>

#include "core/message.h"
