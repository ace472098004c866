// Sixteen threads on one device: the same and different programs, plans and kernels at once. The
// tsan preset runs this under ThreadSanitizer, on kernels that the dev build compiled.
#include "kernel/ops/Attention.h"
#include "runtime/KernelStore.h"
#include "tests/runtime/c/CallTensors.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <thread>

namespace sparsec::test {
namespace {

constexpr int kThreads = 16;
constexpr std::array<int64_t, 3> kLengths = {20, 33, 100}; // one launching thread, and several

template <class Work>
void inThreads(Work work) {
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] { work(t); });
  for (std::thread &thread : threads)
    thread.join();
}

/// Forward and backward of one length: every output, one after the other; empty when a call failed.
std::vector<float> run(sparsec_program *program, int64_t n) {
  sparsec_shape shape = {.size = sizeof shape, .batch = 1, .heads = 4, .nq = n, .n = n};
  sparsec_plan *made = nullptr;
  if (sparsec_prepare(program, &shape, nullptr, &made) != SPARSEC_OK)
    return {};
  PlanHandle plan(made);
  CallTensors on(shape, 32);
  Workspace forwards(plan, SPARSEC_FORWARD), backwards(plan, SPARSEC_BACKWARD);
  sparsec_forward_call forward = on.forward(forwards);
  sparsec_backward_call backward = on.backward(backwards);
  if (sparsec_forward(plan.get(), &forward) != SPARSEC_OK ||
      sparsec_backward(plan.get(), &backward) != SPARSEC_OK)
    return {};
  std::vector<float> all;
  for (const CpuTensor *tensor : {&on.out, &on.dq, &on.dk, &on.dv})
    all.insert(all.end(), tensor->values, tensor->values + tensor->size);
  return all;
}

TEST(Threads, LaunchPrepareAndLoad) {
  const char *folder = std::getenv("SPARSEC_KERNELS");
  ASSERT_TRUE(folder) << "SPARSEC_KERNELS: the folder of strided, head dim 32, f32, cpu";
  DeviceHandle device = openDevice("cpu", 3);
  auto load = [&]() {
    sparsec_program *program = nullptr;
    EXPECT_OK(sparsec_load(device.get(), folder, 0, &program));
    return ProgramHandle(program);
  };
  ProgramHandle shared = load();
  ASSERT_TRUE(shared);
  std::vector<std::vector<float>> alone;
  for (int64_t n : kLengths)
    alone.push_back(run(load().get(), n));
  ASSERT_FALSE(alone[0].empty());
  std::atomic<int> wrong = 0;
  inThreads([&](int t) {
    for (int round = 0; round < 4; ++round) {
      size_t which = static_cast<size_t>(t + round) % 3;
      int64_t n = kLengths[which];
      ProgramHandle own = t % 4 == 0 ? load() : nullptr;
      wrong += run(own ? own.get() : shared.get(), n) != alone[which];
      wrong += sparsec_prepare(shared.get(), nullptr, nullptr, nullptr) != SPARSEC_INPUT;
      wrong += std::string(sparsec_error()) != "plan: expected a pointer, found null";
    }
  });
  EXPECT_EQ(wrong, 0);
}

/// New queries at the last positions of sequences of these lengths, of heads and caches as forward
/// has them; empty when a call failed.
std::vector<float> decode(sparsec_program *program, CpuTensor &k, CpuTensor &v, CpuTensor &q,
                          std::vector<int32_t> lengths) {
  sparsec_shape shape = {.size = sizeof shape,
                         .batch = q.shape[0],
                         .heads = q.shape[1],
                         .nq = q.shape[2],
                         .n = k.shape[2]};
  sparsec_plan *made = nullptr;
  if (sparsec_prepare(program, &shape, nullptr, &made) != SPARSEC_OK)
    return {};
  PlanHandle plan(made);
  Workspace workspace(plan, SPARSEC_DECODE);
  CpuIntegers rows(std::move(lengths));
  CpuTensor out(q.shape);
  sparsec_decode_call call = {.size = sizeof call,
                              .q = &q.tensor,
                              .k = &k.tensor,
                              .v = &v.tensor,
                              .lengths = &rows.tensor,
                              .out = &out.tensor,
                              .workspace = workspace.address,
                              .workspace_bytes = workspace.bytes};
  return sparsec_decode(plan.get(), &call) == SPARSEC_OK ? out.copy() : std::vector<float>();
}

/// A folder decodes what it computes forward, without a compiler, in any number of threads.
TEST(Threads, AFolderDecodes) {
  const char *folder = std::getenv("SPARSEC_KERNELS");
  ASSERT_TRUE(folder);
  DeviceHandle device = openDevice("cpu", 3);
  sparsec_program *loaded = nullptr;
  ASSERT_OK(sparsec_load(device.get(), folder, 0, &loaded));
  ProgramHandle program(loaded);
  constexpr int64_t kMost = 600, kHeads = 4, kDim = 32;
  CallTensors on({.batch = 1, .heads = kHeads, .nq = kMost, .n = kMost}, kDim);
  PlanHandle plan = prepare(program, on.shape);
  ASSERT_TRUE(plan);
  Workspace workspace(plan, SPARSEC_FORWARD);
  sparsec_forward_call forward = on.forward(workspace);
  ASSERT_OK(sparsec_forward(plan.get(), &forward));
  std::atomic<int> wrong = 0;
  inThreads([&](int t) {
    int32_t length = t == 0 ? 600 : 600 - 37 * t;
    CpuTensor last({1, kHeads, 2, kDim});
    for (int64_t h = 0; h < kHeads; ++h)
      std::copy_n(on.q.values + (h * kMost + length - 2) * kDim, 2 * kDim,
                  last.values + h * 2 * kDim);
    std::vector<float> found = decode(program.get(), on.k, on.v, last, {length});
    wrong += found.empty();
    for (size_t i = 0; i < found.size(); ++i) {
      size_t head = i / (2 * kDim), at = (head * kMost + length - 2) * kDim + i % (2 * kDim);
      wrong += !(std::abs(found[i] - on.out.values[at]) < 2e-6F);
    }
  });
  EXPECT_EQ(wrong, 0);
}

TEST(Threads, KernelsAreMadeOnce) {
  char folder[] = "/tmp/sparsec-threads-XXXXXX";
  ASSERT_TRUE(mkdtemp(folder));
  // Each as a process has one, opened at once.
  std::vector<std::shared_ptr<DiskStore>> disks(kThreads);
  std::atomic<int> compiled = 0, wrong = 0;
  inThreads([&](int t) {
    auto disk = DiskStore::open({.folder = std::string(folder) + "/cache", .say = {}});
    if (disk)
      disks[static_cast<size_t>(t)] = std::move(*disk);
    else
      ++wrong;
  });
  ASSERT_EQ(wrong, 0);
  auto compile = [&](const Request &request) -> Result<std::vector<Kernel>> {
    ++compiled;
    std::this_thread::sleep_for(std::chrono::milliseconds(3));
    return std::vector<Kernel>{
        {.entry = request.entry(), .operation = "forward", .target = *findTarget("cpu")}};
  };
  std::vector<std::unique_ptr<KernelStore>> stores;
  for (size_t i = 0; i < 4; ++i)
    stores.push_back(std::make_unique<KernelStore>(compile, "test", disks[i]));
  inThreads([&](int t) {
    for (int i = 0; i < 8; ++i) {
      AttentionRequest request{
          .entry = "k" + std::to_string((t + i) % 5),
          .attend = *parsePredicate(std::make_shared<SourceText>(SourceText{"test", "k <= q"})),
          .target = *findTarget("cpu")};
      auto found = stores[static_cast<size_t>(t) % 4]->kernels(request);
      wrong += !found || (*found)->size() != 1 || (*found)->front().entry != request.entry;
    }
  });
  EXPECT_EQ(compiled, 5);
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(*disks[0]->clear(), 5);
}

} // namespace
} // namespace sparsec::test
