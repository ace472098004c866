// ./dev budget: seconds of what has a bound, and the bounds. Not a test: a busy machine is slower.
// What the work is made of is counted by tests (layout-budget, layout-reach-budget,
// patterns-hostile, sim-loops).
//
//   sparsec-budget SPARSEC     exits 1 when anything is over its bound
#include "layout/LaunchNumbers.h"
#include "layout/analysis/Reach.h"
#include "layout/cost/Cost.h"
#include "runtime/sim/SimDevice.h"
#include "tools/budget/Measure.h"
#include "tools/budget/SimLoops.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace sparsec {
namespace {

constexpr int64_t kMillion = 1'048'576;

using Rows = std::vector<BudgetRow>;

template <class T>
T must(Result<T> result) {
  if (!result)
    throw std::runtime_error(result.error().render());
  if constexpr (!std::is_void_v<T>)
    return *std::move(result);
}

std::shared_ptr<SourceText> source(std::string text) {
  return std::make_shared<SourceText>(SourceText{.name = "budget", .text = std::move(text)});
}

Expr predicate(const std::string &text) {
  return must(parsePredicate(source(text)));
}

Expr local(int64_t l) {
  return predicate(fmt::format("0 <= q - k < {}", l));
}

Expr column(int64_t l) {
  return predicate(fmt::format("k <= q and (q - k) % {} == 0", l));
}

void addLayouts(Rows &rows) {
  struct Case {
    const char *attend;
    int64_t n;
    int block;
    int64_t bytes;
    double most;
  };
  for (const auto &[attend, n, block, bytes, most] : {
           Case{"0 <= q - k < 128", kMillion, 128, int64_t{1} << 30, 0.5},
           Case{"0 <= q - k < 128 + q // 4096", kMillion, 128, int64_t{1} << 30, 0.5},
           Case{"q == q", kMillion, 128, int64_t{1} << 30, 0.1},
           Case{"hash(q, k, 1) % 7 == 0", 65'536, 128, int64_t{1} << 30, 5},
           // Refused when its runs take too much.
           Case{"hash(q // 32, k // 32, 1) % 2 == 0", kMillion, 32, 4'000'000, 5},
       }) {
    Expr expr = predicate(attend);
    LayoutRequest request = {
        .nq = n, .nk = n, .blockQ = block, .blockK = block, .maximumBytes = bytes};
    double seconds = leastSeconds([&] { (void)BlockLayout::build(expr, request); });
    rows.push_back(
        {fmt::format("layout of {}, n = {}, blocks of {}", attend, n, block), seconds, most});
  }
}

/// Patterns without a closed form at a million tokens: layouts of blocks of 64, and their pairs.
void addIrregular(Rows &rows) {
  std::string steps = "0", keys = "0", columns = "(k == 0", diagonals = "q == k";
  for (int64_t i = 1; i < 32; ++i) {
    std::string end = fmt::format("{}", i * 32'771 - i * i % 1000);
    steps += fmt::format(" + min(max(q - {}, 0), 1)", end);
    keys += fmt::format(" + min(max(k - {}, 0), 1)", end);
  }
  for (int64_t i = 1; i < 1000; ++i) // at most 1,000 operators in a row
    columns += fmt::format("{}k == {}", i == 500 ? ") or (" : " or ", i * 7'919 * 131 % kMillion);
  for (int64_t i = 1; i < 200; ++i)
    diagonals += fmt::format(" or q - k == {}", i * 104'729 % kMillion);
  const std::pair<const char *, std::string> cases[] = {
      {"a window of 7 x 5 moved at borders",
       "abs(min(max(q // 1024, 3), 1020) - k // 1024) <= 3 and "
       "abs(min(max(q % 1024, 2), 1021) - k % 1024) <= 2"},
      {"32 documents", fmt::format("k <= q and {} == {}", steps, keys)},
      {"1,000 columns and 200 diagonals",
       fmt::format("k <= q and ({}) or ({}))", columns, diagonals)},
      {"bigbird", "abs(q // 64 - k // 64) <= 1 or q // 64 < 2 or k // 64 < 2 or "
                  "hash(q // 64, k // 64, h) % 16384 < 3"}};
  LayoutRequest request = {.nq = kMillion, .nk = kMillion};
  for (const auto &[name, text] : cases) {
    Expr attend = simplify(predicate(text));
    double layout = leastSeconds([&] { must(BlockLayout::build(attend, request)); });
    double pairs = leastSeconds([&] { must(countElements(attend, request)); });
    rows.push_back({fmt::format("layout of {}, n = 1048576, blocks of 64", name), layout, 3});
    rows.push_back({fmt::format("pairs of {}, likewise", name), pairs, 3});
  }
}

double secondsToWeigh(const Expr &attend, int64_t n) {
  return leastSeconds([&] {
    must(weigh(attend, {.nq = n, .nk = n}, {.copies = 16}, CostTarget::of("sm_90", 2),
               {.blocks = {{64, 64}, {64, 32}, {32, 32}}}));
  });
}

void addWeighing(Rows &rows) {
  rows.push_back(
      {"weighing local(1024), n = 1048576", secondsToWeigh(local(1024), kMillion), 0.05});
  rows.push_back(
      {"weighing column(1024), n = 1048576", secondsToWeigh(column(1024), kMillion), 0.05});
  double most = 0;
  std::string dearest;
  for (const std::string &name : zooNames())
    for (const HeadEntry &head : must(parsePattern(zooFile(name))).heads)
      if (double taken = secondsToWeigh(simplify(head.attend), 4'096); taken > most) {
        most = taken;
        dearest = name;
      }
  rows.push_back(
      {fmt::format("weighing the zoo's dearest head ({}), n = 4096", dearest), most, 0.06});
}

void addLaunches(Rows &rows) {
  LayoutRequest request = {.nq = kMillion, .nk = kMillion};
  auto add = [&](const char *name, const Expr &attend, const OrderSpec &order) {
    double seconds =
        leastSeconds([&] { must(launchNumbers(attend, request, order, order, {.count = 8})); });
    rows.push_back({fmt::format("numbers to launch {}, n = 1048576", name), seconds, 0.05});
  };
  add("local(1024)", local(1024), NaturalOrder{});
  add("column(1024) by residues", column(1024), ResidueOrder{1024});
}

void addReach(Rows &rows) {
  double seconds = leastSeconds([] {
    for (auto [first, second] : {std::pair{local(256), column(256)}, {column(256), local(256)}})
      must(reach({.n = 65'536,
                  .layers = {{{first}}, {{second}}},
                  .residual = ReachRequest::Residual::Without}));
  });
  rows.push_back({"reach of strided layers in both orders, n = 65536", seconds, 60});
}

/// The largest number of heads: reading them includes the proof that none is empty.
void addReading(Rows &rows) {
  std::string heads = "name: a\nheads:\n";
  for (int i = 0; i < 1'024; ++i)
    heads += fmt::format("  - attend: causal and every({}) or same({})\n", i + 1, i + 2);
  double seconds = leastSeconds([&] { must(parsePattern(source(heads))); });
  rows.push_back({"reading a pattern of 1024 heads", seconds, 1});
}

void addSim(Rows &rows) {
  for (const SimLoop &loop : simLoops()) {
    std::unique_ptr<Device> device = openSimDevice();
    LoadedLoop loaded = must(LoadedLoop::load(*device, loop));
    uint64_t instructions = 0;
    double seconds = leastSeconds([&] {
      clearSimReport(*device);
      must(loaded.run(loop.iterations));
      instructions = simReport(*device).warpInstructions;
    });
    rows.push_back({fmt::format("sim, a million warp-instructions of its {} loop", loop.name),
                    seconds * 1e6 / double(instructions), 0.5});
  }
}

struct TemporaryFolder {
  TemporaryFolder() : path(std::filesystem::temp_directory_path() / "sparsec-budget-XXXXXX") {
    if (!mkdtemp(path.data()))
      throw std::runtime_error(path + ": cannot be created");
  }
  ~TemporaryFolder() {
    std::error_code left;
    std::filesystem::remove_all(path, left);
  }
  std::string path;
};

void addCommands(Rows &rows, const std::string &sparsec) {
  TemporaryFolder folder;
  std::string out = folder.path + "/out";
  ChildTimes half = leastOfChild({sparsec, "strided", "-q", "-o", out});
  rows.push_back({"sparsec strided, two kernels", std::min(half.wall, half.processor), 0.5});
  for (const char *pattern : {"local", "strided", "fixed"}) {
    ChildTimes times =
        leastOfChild({sparsec, pattern, "--param", "l=1024", "-n", "1048576", "-q", "-o", out});
    rows.push_back({fmt::format("sparsec {} -n 1048576", pattern), times.user, 4});
  }
  std::string hostile = folder.path + "/hostile.yaml", text = "name: x\nheads: [{attend: k == q";
  for (int i = 0; i < 20'000; ++i)
    text += " or k == q";
  std::ofstream(hostile) << text << "}]\n";
  rows.push_back({"sparsec, to refuse 20000 operators in a row",
                  leastOfChild({sparsec, "-q", hostile}, 1).processor, 2});
}

} // namespace

int budget(const std::string &sparsec) {
  Rows rows;
  addReading(rows);
  addLayouts(rows);
  addIrregular(rows);
  addWeighing(rows);
  addLaunches(rows);
  addReach(rows);
  addSim(rows);
  addCommands(rows, sparsec);
  fmt::print("{}", budgetTable(rows));
  return std::ranges::any_of(rows, [](const BudgetRow &row) { return row.seconds > row.most; });
}

} // namespace sparsec

int main(int count, char **arguments) {
  if (count != 2) {
    fmt::print(stderr, "usage: sparsec-budget SPARSEC\n");
    return 2;
  }
  try {
    return sparsec::budget(arguments[1]);
  } catch (const std::exception &error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return 70;
  }
}
