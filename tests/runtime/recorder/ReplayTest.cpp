// The simulator against recordings of real GPUs (tests/runtime/recordings/*.bin), and the recorder
// against itself.
#include "tests/runtime/TestDevice.h"
#include "tests/runtime/recorder/Recording.h"

#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <set>

namespace sparsec::testing {
namespace {

std::string contents(const std::filesystem::path &path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(Probes, HaveNamesOfTheirOwnAndOperandsThatStay) {
  std::set<std::string> names;
  for (const Probe &probe : probes()) {
    EXPECT_TRUE(names.insert(probe.name).second) << probe.name;
    EXPECT_EQ(probeOperands(probe), probeOperands(probe));
    EXPECT_EQ(probeOperands(probe).size(), probe.operands.size() * probeThreads);
    std::vector<uint64_t> operands = probeOperands(probe);
    std::set<uint64_t> different(operands.begin(), operands.begin() + probeThreads);
    EXPECT_GE(different.size(), 10u) << probe.name; // of the first operand
  }
  EXPECT_GE(names.size(), 150u);
}

TEST(Replay, OfAnotherGpu) {
  auto device = openTestDevice();
  SPARSEC_SKIP_WITHOUT(device);
  size_t recordings = 0;
  for (const auto &file : std::filesystem::directory_iterator(SPARSEC_RECORDINGS)) {
    if (file.path().extension() != ".bin")
      continue;
    ++recordings;
    Result<Recording> recording = parseRecording(contents(file.path()));
    ASSERT_TRUE(recording) << file.path() << ": " << recording.error().render();
    SCOPED_TRACE(recording->device);
    size_t compared = 0;
    for (const Probe &probe : probes()) {
      const Recording::Entry *entry = recording->find(probe.name);
      if (!entry || entry->results.empty())
        continue;
      Result<std::vector<uint64_t>> found = runProbe(probe, **device);
      ASSERT_TRUE(found) << probe.name << ": " << found.error().render();
      EXPECT_EQ(compare(probe, entry->results, *found), "");
      ++compared;
    }
    EXPECT_GT(compared, 0u);
    RecordProperty("compared", int(compared));
  }
  if (recordings == 0)
    GTEST_SKIP() << "no recording of a GPU yet: sparsec_record_ptx makes one";
}

TEST(Recorder, ReadsBackWhatItWrote) {
  auto device = openTestDevice();
  SPARSEC_SKIP_WITHOUT(device);
  std::vector<std::string> refusals;
  Result<Recording> recording = record(**device, refusals);
  ASSERT_TRUE(recording) << recording.error().render();
  for (const std::string &refusal : refusals)
    ADD_FAILURE() << refusal;
  std::string bytes = serialise(*recording);
  EXPECT_LT(bytes.size(), 400000u);
  Result<Recording> again = parseRecording(bytes);
  ASSERT_TRUE(again) << again.error().render();
  EXPECT_EQ(again->device, recording->device);
  ASSERT_EQ(again->entries.size(), probes().size());
  for (const Probe &probe : probes()) {
    const Recording::Entry *a = recording->find(probe.name), *b = again->find(probe.name);
    ASSERT_TRUE(a && b) << probe.name;
    EXPECT_EQ(a->results, b->results)
        << probe.name; // so the slots have no more than the kind's bytes
    EXPECT_EQ(compare(probe, a->results, b->results), "");
    if (a->results.empty())
      continue;
    // A result that is off is found, by one bit where nothing is approximate.
    std::vector<uint64_t> wrong = a->results;
    wrong[17] ^= probe.tolerance.exact() ? 1 : 0x00400000;
    EXPECT_NE(compare(probe, a->results, wrong), "") << probe.name;
  }
  for (size_t length = 0; length < bytes.size(); length += length < 2000 ? 1 : 997)
    (void)parseRecording(std::string_view(bytes).substr(0, length));
  EXPECT_FALSE(parseRecording(std::string_view(bytes).substr(0, bytes.size() - 1)));
  EXPECT_FALSE(parseRecording("something else"));
}

TEST(Recorder, LeavesOutWhatHasChanged) {
  Recording recording;
  recording.device = "a GPU";
  recording.entries.emplace_back(probes()[0].name, Recording::Entry{hashOf(probes()[0]) + 1, {}});
  recording.entries.emplace_back(probes()[1].name, Recording::Entry{hashOf(probes()[1]), {}});
  Result<Recording> read = parseRecording(serialise(recording));
  ASSERT_TRUE(read) << read.error().render();
  ASSERT_EQ(read->entries.size(), 1u);
  EXPECT_EQ(read->entries[0].first, probes()[1].name);
}

} // namespace
} // namespace sparsec::testing
