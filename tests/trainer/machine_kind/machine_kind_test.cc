#include "trainer/machine_kind.h"

#include <gtest/gtest.h>

namespace sono {
namespace {

TEST(CpuModelTest, IsReadFromTheFirstProcessor) {
  EXPECT_EQ(cpu_model("processor\t: 0\n"
                      "vendor_id\t: GenuineIntel\n"
                      "cpu family\t: 6\n"
                      "model\t\t: 143\n"
                      "model name\t: Some Processor\n"
                      "flags\t\t: fpu vme\n"
                      "\n"
                      "processor\t: 1\n"
                      "vendor_id\t: GenuineIntel\n"),
            "GenuineIntel 6 143");
}

TEST(CpuModelTest, KnowsTheFieldsOfArm) {
  EXPECT_EQ(cpu_model("processor\t: 0\n"
                      "BogoMIPS\t: 243.75\n"
                      "CPU implementer\t: 0x41\n"
                      "CPU part\t: 0xd0c\n\n"),
            "0x41 0xd0c");
}

TEST(CpuModelTest, IsEmptyWhereNothingIsKnown) {
  EXPECT_EQ(cpu_model(""), "");
  EXPECT_EQ(cpu_model("no colon here\n"), "");
}

TEST(MachineKindTest, NamesWhatDecidesBits) {
  const nlohmann::json kind = machine_kind();
  for (const char* key :
       {"device", "cpu_model", "cpu_capability", "libtorch", "threads"}) {
    EXPECT_TRUE(kind.contains(key)) << key;
  }
  EXPECT_EQ(kind, machine_kind());
}

}  // namespace
}  // namespace sono
