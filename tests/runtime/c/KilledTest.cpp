// Four processes of sixteen threads, which compile the same and different kernels at once into one
// store, of which one is killed at a random moment; again and again. The others end, with right
// results, and what is stored serves a process that has no compiler.
//
//   SPARSEC_KILLS=200 SPARSEC_SEED=7 c-killed-test         20 kills where nobody says otherwise
#include "runtime/DiskStore.h"
#include "tests/runtime/c/Problem.h"

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <random>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace sparsec::test {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr int kProcesses = 4, kThreads = 16;
constexpr int kShared = 3; ///< patterns of a round that all processes want
constexpr auto kHang = std::chrono::minutes(2);

int setting(const char *name, int otherwise) {
  const char *text = std::getenv(name);
  return text ? std::atoi(text) : otherwise;
}

/// Pairs that attend are others for each number: a kernel that is taken for another one shows.
std::string patternOf(int number) {
  return fmt::format("name: killed\nheads:\n"
                     "  - {{attend: 'causal and (q == k or (97 * q + 61 * k) % {0} < {1})',\n"
                     "     schedule: {{order: natural, split: never}}}}\n",
                     11 + number, (11 + number) / 2);
}

/// Compiles a pattern (forward; backward of every third one), runs it, and holds what it wrote
/// against the reference: what is wrong, or nothing.
std::string tryPattern(const DeviceHandle &device, int number) {
  std::string text = patternOf(number);
  bool backward = number % 3 == 0;
  sparsec_pattern pattern = {
      .size = sizeof pattern, .kind = SPARSEC_PATTERN_TEXT, .text = text.c_str()};
  sparsec_compile_options options = {.size = sizeof options,
                                     .operations = backward ? SPARSEC_FORWARD | SPARSEC_BACKWARD
                                                            : SPARSEC_FORWARD,
                                     .head_dim = 16,
                                     .threads = 1,
                                     .n = 64};
  sparsec_program *made = nullptr;
  if (sparsec_compile(device.get(), &pattern, &options, &made) != SPARSEC_OK)
    return sparsec_error();
  ProgramHandle program(made);
  Problem problem(text.c_str(), {.batch = 1, .heads = 1, .kv_heads = 1, .nq = 40, .n = 40}, 16);
  PlanHandle plan = prepare(program, problem.shape);
  Workspace forwards(plan, SPARSEC_FORWARD);
  sparsec_forward_call forward = problem.forward(forwards);
  if (sparsec_forward(plan.get(), &forward) != SPARSEC_OK)
    return sparsec_error();
  auto exact = reference::exact(problem.reference.forward);
  if (double far = furthest(problem.out, exact.out); !(far < 2e-6))
    return fmt::format("out of pattern {} is {} from the reference", number, far);
  if (!backward)
    return "";
  Workspace backwards(plan, SPARSEC_BACKWARD);
  sparsec_backward_call call = problem.backward(backwards);
  if (sparsec_backward(plan.get(), &call) != SPARSEC_OK)
    return sparsec_error();
  auto gradients = reference::exactBackward(problem.reference, exact);
  for (double far : {furthest(problem.dq, gradients.dq), furthest(problem.dk, gradients.dk),
                     furthest(problem.dv, gradients.dv)})
    if (!(far < 1e-5))
      return fmt::format("a gradient of pattern {} is {} from the reference", number, far);
  return "";
}

/// In a child: sixteen threads on two devices, each through all patterns from another one on. Ends
/// with 0 when everything was right, and what was not is in `said`, as are warnings.
[[noreturn]] void work(const std::vector<int> &numbers, const std::string &said) {
  int file = ::open(said.c_str(), O_CREAT | O_WRONLY | O_APPEND, 0600);
  dup2(file, STDERR_FILENO);
  DeviceHandle devices[] = {openDevice("cpu", 1), openDevice("cpu", 1)}; // with a store each
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (size_t t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      for (size_t i = 0; i < numbers.size(); ++i)
        if (std::string why = tryPattern(devices[t % 2], numbers[(t + i) % numbers.size()]);
            !why.empty()) {
          ++wrong;
          fmt::print(stderr, "{}\n", why);
        }
    });
  for (std::thread &thread : threads)
    thread.join();
  _exit(wrong != 0);
}

class Killed : public testing::Test {
protected:
  void SetUp() override {
    char name[] = "/tmp/sparsec-killed-XXXXXX";
    ASSERT_TRUE(mkdtemp(name));
    base = name;
    setenv("SPARSEC_CACHE", (base + "/cache").c_str(), 1);
  }
  void TearDown() override { fs::remove_all(base); }

  pid_t start(const std::vector<int> &numbers) {
    pid_t child = fork();
    if (child == 0)
      work(numbers, base + "/said");
    return child;
  }
  /// Waits for a child that should end by itself: its status; -1: it hangs, and was killed.
  int statusOf(pid_t child) {
    int status = 0;
    for (auto begin = Clock::now(); waitpid(child, &status, WNOHANG) == 0; usleep(1000))
      if (Clock::now() - begin > kHang) {
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
        return -1;
      }
    return status;
  }
  std::string said() {
    std::ifstream in(base + "/said");
    return std::string(std::istreambuf_iterator<char>(in), {});
  }

  std::string base;
};

TEST_F(Killed, OthersGoOnAndTheStoreStaysRight) {
  int kills = setting("SPARSEC_KILLS", 20);
  auto seed = static_cast<unsigned>(setting("SPARSEC_SEED", 1));
  std::mt19937 random(seed);
  double longest = 1e6; // microseconds that a round takes: of the last one
  int died = 0;
  std::vector<int> all;
  for (int round = 0; round < kills; ++round) {
    SCOPED_TRACE(fmt::format("round {} of seed {}", round, seed));
    std::vector<int> shared;
    for (int i = 0; i < kShared; ++i)
      shared.push_back(round * (kShared + kProcesses) + i);
    auto begin = Clock::now();
    std::vector<pid_t> children;
    std::vector<int> needed = shared;
    for (int p = 0; p < kProcesses; ++p) {
      std::vector<int> numbers = shared;
      numbers.push_back(shared.back() + 1 + p); // its own
      if (p > 0)
        needed.push_back(numbers.back());
      children.push_back(start(numbers));
    }
    usleep(static_cast<useconds_t>(std::uniform_real_distribution(0.0, longest)(random)));
    kill(children[0], SIGKILL);
    int victim = statusOf(children[0]);
    died += WIFSIGNALED(victim);
    EXPECT_TRUE(WIFSIGNALED(victim) || victim == 0) << victim << "\n" << said();
    for (int p = 1; p < kProcesses; ++p)
      EXPECT_EQ(statusOf(children[p]), 0) << "process " << p << "\n" << said();
    longest = std::chrono::duration<double, std::micro>(Clock::now() - begin).count();
    all.insert(all.end(), needed.begin(), needed.end());
    ASSERT_FALSE(HasFailure());
  }
  EXPECT_GT(died, kills / 2) << "most were to be killed while they worked";

  // All that is stored is whole and right, and enough without a compiler.
  setenv("SPARSEC_COMPILER", "/nowhere/libsparsec-compiler.so", 1);
  EXPECT_EQ(statusOf(start(all)), 0) << said();
  auto store = DiskStore::open({.folder = base + "/cache", .say = {}});
  ASSERT_TRUE(store);
  size_t files = 0;
  for (auto &each : fs::recursive_directory_iterator(base + "/cache/entries"))
    files += each.is_regular_file();
  EXPECT_EQ((*store)->entries().size(), files);
  EXPECT_GE(files, all.size());
  EXPECT_EQ(said(), ""); // no entry was damaged, nothing could not be written
  RecordProperty("killed", died);
}

} // namespace
} // namespace sparsec::test
