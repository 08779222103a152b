#pragma once
// EXPECT_ERROR(statement, Type, "part", ...): the statement throws Type and the
// message holds every part.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#define EXPECT_ERROR(statement, Type, ...)                                    \
  do {                                                                        \
    bool sono_threw = false;                                                  \
    try {                                                                     \
      statement;                                                              \
    } catch (const Type& error) {                                             \
      sono_threw = true;                                                      \
      for (const std::string& sono_part :                                     \
           std::vector<std::string>{__VA_ARGS__}) {                           \
        EXPECT_NE(std::string(error.what()).find(sono_part),                  \
                  std::string::npos)                                          \
            << "'" << error.what() << "' does not say '" << sono_part << "'"; \
      }                                                                       \
    }                                                                         \
    EXPECT_TRUE(sono_threw) << #statement " threw no " #Type;                 \
  } while (false)
