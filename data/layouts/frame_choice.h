#pragma once
// Which frames of a file with several become images.

#include <string>
#include <vector>

namespace sono {

struct FrameChoice {
  enum class Rule { kOne, kFirst, kMiddle, kAll, kAnnotated, kListed };
  Rule rule = Rule::kOne;
  std::vector<int> listed;  // from 0, ascending

  // "one" (a file has no more than one), "first", "middle", "all",
  // "annotated" (those with a mask), or numbers from 0 such as "0,12";
  // ConfigError naming `option`.
  static FrameChoice parse(const std::string& text, const std::string& option);

  // The frames among `count`; all of them under kAnnotated, for the caller to
  // look for masks. DataError naming `file` where one is asked for and there
  // are more, or a listed one is not there.
  std::vector<int> frames(int count, const std::string& file) const;
};

}  // namespace sono
