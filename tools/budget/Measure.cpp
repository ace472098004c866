#include "tools/budget/Measure.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <fcntl.h>
#include <stdexcept>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace sparsec {

namespace {

constexpr int kRuns = 5;
constexpr double kLong = 2; ///< seconds after which one more run is not worth it

double processorSeconds() {
  timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return double(now.tv_sec) + double(now.tv_nsec) * 1e-9;
}

double seconds(const timeval &time) {
  return double(time.tv_sec) + double(time.tv_usec) * 1e-6;
}

[[noreturn]] void become(const std::vector<std::string> &command) {
  std::vector<char *> arguments;
  for (const std::string &each : command)
    arguments.push_back(const_cast<char *>(each.c_str()));
  arguments.push_back(nullptr);
  int nothing = open("/dev/null", O_WRONLY);
  dup2(nothing, STDOUT_FILENO);
  dup2(nothing, STDERR_FILENO);
  execv(arguments[0], arguments.data());
  _exit(127);
}

ChildTimes timesOf(const std::vector<std::string> &command, int expectedExit) {
  auto start = std::chrono::steady_clock::now();
  pid_t child = fork();
  if (child == 0)
    become(command);
  int status = 0;
  rusage used = {};
  wait4(child, &status, 0, &used);
  double wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (!WIFEXITED(status) || WEXITSTATUS(status) != expectedExit)
    throw std::runtime_error(
        fmt::format("{}: ends with status {}", fmt::join(command, " "), status));
  return {wall, seconds(used.ru_utime), seconds(used.ru_utime) + seconds(used.ru_stime)};
}

} // namespace

double leastSeconds(const std::function<void()> &work) {
  double least = 0;
  for (int run = 0; run < kRuns; ++run) {
    double start = processorSeconds();
    work();
    double taken = processorSeconds() - start;
    least = run == 0 ? taken : std::min(least, taken);
    if (taken > kLong)
      break;
  }
  return least;
}

ChildTimes leastOfChild(const std::vector<std::string> &command, int expectedExit) {
  ChildTimes least = timesOf(command, expectedExit);
  for (int run = 1; run < kRuns; ++run) {
    ChildTimes times = timesOf(command, expectedExit);
    least.wall = std::min(least.wall, times.wall);
    least.user = std::min(least.user, times.user);
    least.processor = std::min(least.processor, times.processor);
  }
  return least;
}

std::string budgetTable(const std::vector<BudgetRow> &rows) {
  std::string text = fmt::format("{:>9}  {:>9}  {:>6}\n", "seconds", "at most", "share");
  for (const auto &[what, seconds, most] : rows)
    text += fmt::format("{:9.4f}  {:9.2f}  {:4.0f} %  {}{}\n", seconds, most, 100 * seconds / most,
                        what, seconds > most ? "  OVER" : "");
  return text;
}

} // namespace sparsec
