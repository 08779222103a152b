#pragma once
// Text that goes into batch scripts. Nothing a user names reaches a shell or an
// #SBATCH line but through these.

#include <string>
#include <vector>

namespace sono {

// One word of bash that means exactly `text`. `name` says what the text is.
// ConfigError when it holds a NUL byte, which no word can.
std::string shell_word(const std::string& name, const std::string& text);

// A bash array of such words: ('a b' c).
std::string shell_array(const std::string& name,
                        const std::vector<std::string>& words);

// A value of an #SBATCH line as sbatch takes such lines apart: quotes hold
// blanks and '#', a backslash takes any character as it is but a blank.
// ConfigError naming `name` for control characters: a line break would end the
// line.
std::string sbatch_value(const std::string& name, const std::string& text);

// The same for a file's name, in which sbatch also replaces %j and its like.
// `pattern` is put behind it as it is. ConfigError too for a backslash, which
// would turn the pattern off.
std::string sbatch_file(const std::string& name, const std::string& path,
                        const std::string& pattern);

}  // namespace sono
