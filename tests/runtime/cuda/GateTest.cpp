// The gate on cubins made here, by every assembler of this machine: what ships passes, and each
// thing that must not ship is refused by name.
#include "runtime/cuda/Gate.h"
#include "tests/runtime/cuda/Kernels.h"

#include <functional>
#include <gtest/gtest.h>

namespace sparsec {
namespace {

/// Assembles by everything there is and looks at each cubin.
void withEveryCubin(const std::string &ptx, const std::string &arch, size_t leastAssemblers,
                    const std::function<void(const Cubin &)> &look) {
  Assemblers assemblers = Assemblers::open(AssemblerSearch::fromEnvironment());
  size_t looked = 0;
  for (const auto &assembler : assemblers.found) {
    Result<Cubin> cubin = assembler->assemble(ptx, arch);
    if (!cubin && leastAssemblers == 1 && assembler->name() == "nvrtc")
      continue; // what cannot be wrapped
    ASSERT_TRUE(cubin) << cubin.error().render();
    SCOPED_TRACE(cubin->assembler);
    look(*cubin);
    ++looked;
  }
  if (looked < leastAssemblers) {
    std::string reasons;
    for (const std::string &line : assemblers.missing)
      reasons += "\n  " + line;
    GTEST_SKIP() << "not every assembler is on this machine:" << reasons;
  }
}

std::string notesOf(const Result<void> &result) {
  if (result)
    return "passes";
  std::string notes;
  for (const std::string &note : result.error().notes)
    notes += note + "\n";
  return notes;
}

TEST(Gate, PassesTileKernel) {
  withEveryCubin(testing::tileKernel(), "sm_80", 2, [](const Cubin &cubin) {
    EXPECT_EQ(notesOf(gate(cubin)), "passes");
    EXPECT_EQ(cubin.report.spillStores + cubin.report.spillLoads + cubin.report.stack, 0);
    EXPECT_GE(cubin.report.registers, 16);
    EXPECT_EQ(cubin.report.shared, 1024);
  });
}

TEST(Gate, PassesWgmmaKernel) {
  withEveryCubin(testing::wgmmaKernel(), "sm_90a", 2, [](const Cubin &cubin) {
    EXPECT_EQ(notesOf(gate(cubin)), "passes");
    // The ceiling before setmaxnreg: 65536 registers over 256 threads would be 256; the kernel asks
    // for 168 after it.
    EXPECT_EQ(cubin.report.registers, 168);
  });
}

TEST(Gate, RefusesSpills) {
  withEveryCubin(testing::spillingKernel(), "sm_80", 2, [](const Cubin &cubin) {
    EXPECT_EQ(cubin.report.registers, 24);
    EXPECT_GT(cubin.report.spillStores, 0);
    EXPECT_GT(cubin.report.spillLoads, 0);
    std::string notes = notesOf(gate(cubin));
    EXPECT_NE(notes.find("registers spill: "), std::string::npos) << notes;
    // The code says the same as the report: four bytes a spill.
    Result<std::vector<SassFunction>> sass = readSass(cubin.image);
    ASSERT_TRUE(sass) << sass.error().render();
    ASSERT_EQ(sass->size(), 1u);
    EXPECT_EQ((*sass)[0].name, "spill");
    EXPECT_EQ((*sass)[0].localStores * 4, cubin.report.spillStores);
    EXPECT_EQ((*sass)[0].localLoads * 4, cubin.report.spillLoads);
  });
}

TEST(Gate, RefusesLocalArrays) {
  withEveryCubin(testing::localArrayKernel(), "sm_80", 2, [](const Cubin &cubin) {
    EXPECT_EQ(cubin.report.spillStores, 0); // only the code shows it
    EXPECT_EQ(cubin.report.stack, 4096);
    std::string notes = notesOf(gate(cubin));
    EXPECT_NE(notes.find("array uses local memory: 1 loads"), std::string::npos) << notes;
  });
}

TEST(Gate, RefusesCalls) {
  withEveryCubin(testing::callingKernel(), "sm_80", 1, [](const Cubin &cubin) {
    EXPECT_EQ(notesOf(gate(cubin)), "caller has 1 calls that are not inlined\n");
  });
}

TEST(Gate, PassesHelpersOfTheAssembler) {
  withEveryCubin(testing::dividingKernel(), "sm_80", 2, [](const Cubin &cubin) {
    Result<std::vector<SassFunction>> sass = readSass(cubin.image);
    ASSERT_TRUE(sass) << sass.error().render();
    EXPECT_EQ((*sass)[0].helperCalls, 1);
    EXPECT_EQ((*sass)[0].calls, 0);
    EXPECT_EQ(notesOf(gate(cubin)), "passes");
  });
}

TEST(Gate, RefusesSerialisedWgmma) {
  withEveryCubin(testing::serialisedKernel(), "sm_90a", 2, [](const Cubin &cubin) {
    EXPECT_FALSE(cubin.report.concerns.empty());
    std::string notes = notesOf(gate(cubin));
    EXPECT_NE(notes.find("(C75"), std::string::npos) << notes;
  });
}

TEST(Gate, BothAssemblersMakeTheSameCode) {
  Assemblers assemblers = Assemblers::open(AssemblerSearch::fromEnvironment());
  if (assemblers.found.size() < 2)
    GTEST_SKIP() << "not every assembler is on this machine: " << assemblers.missing[0];
  std::string_view nvrtc = assemblers.found[0]->version(), ptxas = assemblers.found[1]->version();
  if (ptxas.substr(0, nvrtc.size()) != nvrtc)
    GTEST_SKIP() << "NVRTC " << nvrtc << " and ptxas " << ptxas << " are not of one release";
  for (auto [ptx, arch] :
       {std::pair{testing::tileKernel(), "sm_80"}, std::pair{testing::wgmmaKernel(), "sm_90a"}}) {
    std::vector<int> registers, instructions;
    for (const auto &assembler : assemblers.found) {
      Result<Cubin> cubin = assembler->assemble(ptx, arch);
      ASSERT_TRUE(cubin) << cubin.error().render();
      Result<std::vector<SassFunction>> sass = readSass(cubin->image);
      ASSERT_TRUE(sass) << sass.error().render();
      registers.push_back(cubin->report.registers);
      instructions.push_back((*sass)[0].instructions);
    }
    EXPECT_EQ(registers[0], registers[1]) << arch;
    EXPECT_EQ(instructions[0], instructions[1]) << arch;
  }
}

TEST(Gate, ReadsDamagedCubinsWithoutHarm) {
  EXPECT_EQ(readSass("").error().message,
            "a cubin that cannot be read: expected a 64-bit ELF file");
  EXPECT_FALSE(readSass(std::string(200, 'x')));
  withEveryCubin(testing::tileKernel(), "sm_80", 1, [](const Cubin &cubin) {
    for (size_t length = 0; length < cubin.image.size(); length += 7)
      (void)readSass(std::string_view(cubin.image).substr(0, length));
    // Every byte of the header and of the section table, turned over.
    for (size_t at = 0; at < cubin.image.size(); at += at < 64 ? 1 : 13) {
      std::string image = cubin.image;
      image[at] = static_cast<char>(~image[at]);
      (void)readSass(image);
    }
  });
}

} // namespace
} // namespace sparsec
