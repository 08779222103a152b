#include "launch/slurm/site.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "core/atomic_file.h"
#include "core/error.h"
#include "launch/options/ini_file.h"
#include "tests/core/expect_error.h"
#include "tests/data/shards/temporary_folder.h"

namespace sono {
namespace {

SiteConfig read(const std::string& text) {
  const TemporaryFolder folder;
  write_file_atomic(folder.path() / "site.ini", text);
  SiteConfig site;
  OptionTable options;
  describe(options, site);
  load_ini(folder.path() / "site.ini", options);
  site.validate();
  return site;
}

TEST(Site, IsReadFromOneIni) {
  const SiteConfig site = read(
      "[site]\npartition = gpu\ngpus_per_node = 4\nmodules = gcc/12, cuda\n"
      "container = apptainer exec --bind '/a b' sono.sif\n"
      "[restart]\nmargin_seconds = 300\n"
      "[sbatch]\nconstraint = a100&ib\nexclusive =\n"
      "[environment]\nNCCL_DEBUG = WARN\n");
  EXPECT_EQ(site.partition, "gpu");
  EXPECT_EQ(site.ranks(), 4);
  EXPECT_EQ(site.modules, (std::vector<std::string>{"gcc/12", "cuda"}));
  EXPECT_EQ(site.container_words(),
            (std::vector<std::string>{"apptainer", "exec", "--bind", "/a b",
                                      "sono.sif"}));
  EXPECT_EQ(site.margin_seconds, 300);
  EXPECT_EQ(site.sbatch.at("constraint"), "a100&ib");
  EXPECT_EQ(site.sbatch.at("exclusive"), "");
  EXPECT_EQ(site.environment.at("NCCL_DEBUG"), "WARN");
}

TEST(Site, NeedsNothing) {
  EXPECT_EQ(SiteConfig().ranks(), 1);
  EXPECT_TRUE(SiteConfig().container_words().empty());
  SiteConfig().validate();
}

TEST(Site, NamesWhatIsWrong) {
  EXPECT_ERROR(read("[site]\npartiton = gpu\n"), ConfigError, "site.partiton",
               "'site.partition'");
  EXPECT_ERROR(read("[site]\nlauncher = mpiexec\n"), ConfigError,
               "site.launcher", "mpirun");
  EXPECT_ERROR(read("[restart]\nmargin_seconds = 1\n"), ConfigError,
               "restart.margin_seconds", "10..");
  EXPECT_ERROR(read("[sbatch]\noutput = x\n"), ConfigError, "sbatch.output",
               "is set by the run's folder");
  EXPECT_ERROR(read("[sbatch]\nWrap it = x\n"), ConfigError, "sbatch.Wrap it",
               "long name");
  EXPECT_ERROR(read("[environment]\nA;b = x\n"), ConfigError, "environment.A;b",
               "environment variable");
}

TEST(Site, FileIsGivenOrNamedOrAtHome) {
  const TemporaryFolder home;
  const char* before = std::getenv("HOME");
  const std::string own_home = before != nullptr ? before : "";
  const auto at_home = home.path() / ".config" / "sonoforge" / "site.ini";
  ::setenv("HOME", home.path().c_str(), 1);
  ::unsetenv("SONO_SITE");
  EXPECT_EQ(find_site_file(""), "");
  make_directories(at_home.parent_path());
  write_file_atomic(at_home, "");
  EXPECT_EQ(find_site_file(""), at_home);
  ::setenv("SONO_SITE", "/lab/site.ini", 1);
  EXPECT_EQ(find_site_file(""), "/lab/site.ini");
  EXPECT_EQ(find_site_file("own.ini"), "own.ini");
  ::unsetenv("SONO_SITE");
  ::setenv("HOME", own_home.c_str(), 1);
}

}  // namespace
}  // namespace sono
