#pragma once
// The entry of each subcommand, in the file of its name. Each takes what
// follows its name on the command line and returns the exit code.

#include <string>
#include <vector>

namespace sono {

using Arguments = std::vector<std::string>;

int doctor_command(const Arguments& args);
int evaluate_command(const Arguments& args);
int export_command(const Arguments& args);
int generate_command(const Arguments& args);
int hang_command(const Arguments& args);
int inspect_command(const Arguments& args);
int phantom_command(const Arguments& args);
int quality_command(const Arguments& args);
int report_command(const Arguments& args);
int run_command(const Arguments& args);
int status_command(const Arguments& args);
int submit_command(const Arguments& args);
int train_command(const Arguments& args);
int verify_command(const Arguments& args);

}  // namespace sono
