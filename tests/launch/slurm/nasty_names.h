#pragma once
// Names that a careless script would take apart or obey.

#include <string>
#include <vector>

namespace sono {

inline std::vector<std::string> nasty_names() {
  return {"a b",
          " lead and trail ",
          "it's",
          "say \"hi\"",
          "$(touch x)",
          "`touch x`",
          "${HOME}",
          "a;touch x",
          "a\ntouch x",
          "a&b|c>d<e",
          "*?[a]{b,c}",
          "-rf",
          "~",
          "!!",
          "#SBATCH",
          "a#b",
          "back\\slash",
          "end\\",
          "''",
          "\"'\"'",
          "tab\there",
          "%j %a %%",
          "\xc3\xa9t\xc3\xa9",
          "(a)",
          "a=b",
          "",
          "\x7f"};
}

}  // namespace sono
