#include "launch/slurm/batch_script.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "launch/slurm/slurm_commands.h"
#include "tests/core/expect_error.h"
#include "tests/launch/slurm/nasty_names.h"

namespace sono {
namespace {

Submission example() {
  Submission submission;
  submission.run = "/scratch/run";
  submission.submitted = "/home/me";
  submission.program = "/opt/sonoforge";
  submission.launcher = {"srun", "--mpi=pmix"};
  submission.nodes = 3;
  submission.site.ranks_per_node = 2;
  return submission;
}

std::vector<std::string> names_of(const std::vector<Job>& jobs) {
  std::vector<std::string> names;
  for (const Job& job : jobs) names.push_back(job.name);
  return names;
}

using Names = std::vector<std::string>;

TEST(Chain, HasTheJobsThatTheRecipeNeeds) {
  Recipe recipe;
  recipe.experiment.arms = {"none", "concat"};
  EXPECT_EQ(names_of(make_chain(recipe, example())),
            (Names{"1-generators", "2-datasets", "3-tuning", "4-evaluation",
                   "5-report"}));
  recipe.experiment.arms = {"none", "phantom"};
  EXPECT_EQ(names_of(make_chain(recipe, example())),
            (Names{"1-tuning", "2-evaluation", "3-report"}));
  recipe.experiment.task = "generate";
  EXPECT_EQ(names_of(make_chain(recipe, example())),
            (Names{"1-generators", "2-datasets", "3-report"}));
}

TEST(Chain, StepsMustSucceedAndWorkersOnlyEnd) {
  Recipe recipe;
  recipe.experiment.arms = {"concat"};
  const auto jobs = make_chain(recipe, example());
  ASSERT_EQ(jobs.size(), 5u);
  EXPECT_TRUE(jobs[0].dependencies.empty());
  ASSERT_EQ(jobs[2].dependencies.size(), 2u);
  EXPECT_EQ(jobs[2].dependencies[0].job, "1-generators");
  EXPECT_TRUE(jobs[2].dependencies[0].must_succeed);
  EXPECT_FALSE(jobs[2].dependencies[1].must_succeed);
  EXPECT_EQ(jobs[1].workers, 6);
  EXPECT_EQ(jobs[2].workers, 0);
}

TEST(BatchScript, HoldsTheSitesWishes) {
  Submission submission = example();
  SiteConfig& site = submission.site;
  site.partition = "gpu";
  site.time = "12:00:00";
  site.gpus_per_node = 2;
  site.modules = {"gcc/12"};
  site.container = "apptainer exec 'a b.sif'";
  site.sbatch = {{"constraint", "a100&ib"}, {"exclusive", ""}};
  site.environment = {{"GREETING", "it's me"}};
  const auto jobs = make_chain(Recipe(), submission);
  const std::string text = batch_script(jobs[0], submission);
  for (const char* line :
       {"#!/bin/bash\n", "\n#SBATCH --nodes=3\n",
        "\n#SBATCH --ntasks-per-node=2\n", "\n#SBATCH --gpus-per-node=2\n",
        "\n#SBATCH --partition=gpu\n", "\n#SBATCH --time=12:00:00\n",
        "\n#SBATCH --constraint=\"a100&ib\"\n", "\n#SBATCH --exclusive\n",
        "\n#SBATCH --signal=B:USR1@120\n", "\n#SBATCH --requeue\n",
        "\n#SBATCH --open-mode=append\n", "\nmodule load gcc/12 || exit 2\n",
        "\nexport GREETING='it'\\''s me'\n", "\nlauncher=(srun --mpi=pmix)\n",
        "\nprogram=(apptainer exec 'a b.sif' /opt/sonoforge)\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
  }
  const std::string array = batch_script(jobs[1], submission);
  EXPECT_NE(array.find("\n#SBATCH --array=0-5\n"), std::string::npos) << array;
  EXPECT_NE(array.find("\nlauncher=()\n"), std::string::npos) << array;
}

// Only what follows the job's own lines: bash reads it, sbatch does not.
std::string values_seen_by_bash(const std::string& text) {
  const auto end = text.rfind("\n. ");
  const ProcessOutput output = run_process(
      {"bash", "-uc",
       "cd() { here=$2; }\n" + text.substr(0, end) +
           "\nprintf '%s\\x01' \"$run\" \"$here\" \"${program[@]}\" "
           "\"${arguments[@]}\" \"$NASTY\""});
  EXPECT_EQ(output.exit_code, 0) << text << output.error;
  return output.out;
}

TEST(BatchScript, NastyNamesReachNoShell) {
  for (const std::string& name : nasty_names()) {
    Submission submission = example();
    submission.submitted = "/home/" + name;
    submission.program = "/opt/" + name;
    submission.site.environment = {{"NASTY", name}};
    std::string run = "/scratch/run";
    if (name.find_first_of("\n\t\x7f\\") == std::string::npos) {
      run = "/scratch/x" + name;
    }
    submission.run = run;
    const auto jobs = make_chain(Recipe(), submission);
    const std::string end(1, '\x01');
    EXPECT_EQ(values_seen_by_bash(batch_script(jobs.back(), submission)),
              run + end + "/home/" + name + end + "/opt/" + name + end + "run" +
                  end + run + "/slurm/recipe.ini" + end + "--out" + end + run +
                  end + name + end);
  }
}

TEST(BatchScript, RefusesWhatNoSbatchLineHolds) {
  const Job job = make_chain(Recipe(), example())[0];
  Submission submission = example();
  submission.run = "/scratch/a\nb";
  EXPECT_ERROR(batch_script(job, submission), ConfigError, "--out");
  submission = example();
  submission.site.account = "a\n#SBATCH --wrap=x";
  EXPECT_ERROR(batch_script(job, submission), ConfigError,
               "option site.account");
  submission = example();
  submission.site.sbatch["comment"] = "a\nb";
  EXPECT_ERROR(batch_script(job, submission), ConfigError,
               "option sbatch.comment");
}

TEST(Launcher, IsTakenFromWhatSlurmKnows) {
  const auto first = [](const ProcessOutput& listed, const char* wanted) {
    return choose_launcher(wanted, 1, listed).words[0];
  };
  const ProcessOutput pmix{0, "MPI plugin types are...\n\tpmix\n", ""};
  const ProcessOutput none{0, "MPI plugin types are...\n\tpmi2\n", ""};
  EXPECT_EQ(first(pmix, "auto"), "srun");
  EXPECT_EQ(first(none, "auto"), "setsid");
  EXPECT_EQ(first({0, "", "pmix_v4\n"}, "auto"), "srun");
  EXPECT_EQ(first({127, "", ""}, "auto"), "srun");
  EXPECT_EQ(first(pmix, "mpirun"), "setsid");
  EXPECT_EQ(first(none, "srun"), "srun");
  EXPECT_NE(choose_launcher("auto", 1, none).reason.find("no pmix"),
            std::string::npos);
}

TEST(RunProcess, KeepsOutputErrorAndCodeApart) {
  const ProcessOutput output =
      run_process({"bash", "-c", "echo out; echo no >&2; exit 3"});
  EXPECT_EQ(output.exit_code, 3);
  EXPECT_EQ(output.out, "out\n");
  EXPECT_EQ(output.error, "no\n");
  EXPECT_EQ(run_process({"sono-no-such-program"}).exit_code, 127);
}

}  // namespace
}  // namespace sono
