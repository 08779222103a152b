#pragma once
// Checks of invariants: a failure is a fault of ours, thrown as sono::Error.
// For wrong input use ConfigError or DataError with a message for the user.

#include <sstream>

#include "core/error.h"

#define SONO_CHECK(condition, message)                                  \
  do {                                                                  \
    if (!(condition)) {                                                 \
      std::ostringstream sono_check_text;                               \
      sono_check_text << __FILE__ << ":" << __LINE__                    \
                      << ": check failed: " #condition ": " << message; \
      throw ::sono::Error(sono_check_text.str());                       \
    }                                                                   \
  } while (false)

#define SONO_CHECK_EQ(a, b)                                                \
  do {                                                                     \
    const auto& sono_check_a = (a);                                        \
    const auto& sono_check_b = (b);                                        \
    SONO_CHECK(sono_check_a == sono_check_b,                               \
               #a " = " << sono_check_a << ", " #b " = " << sono_check_b); \
  } while (false)
