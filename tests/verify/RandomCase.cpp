#include "tests/verify/RandomCase.h"

#include "layout/Split.h"

#include <fmt/format.h>

#include <array>
#include <string_view>

namespace sparsec::testing {

namespace {

// C: 0 .. 79, S: 1 .. 39, R: 0 .. 4.
constexpr std::array<std::string_view, 30> kComparisons = {
    "k <= q",
    "q <= k",
    "0 <= q - k < C",
    "k - q < C",
    "q - k > C",
    "abs(q - k) <= C",
    "(q - k) % S == R",
    "(q + k) % S <= R",
    "q // S == k // S",
    "q // S >= k // S + R",
    "k % S >= R",
    "q % S != k % S",
    "k % S == q // S % S",
    "hash(q, k, C) % 3 != 0",
    "hash(q // S, k // S, h) % 2 == 0",
    "k < C",
    "k >= n - C",
    "q < C",
    "min(q, k) < C",
    "max(q, k) // S % 2 == 0",
    "(q * k) % S <= R",
    "q * q + k * k < C * C",
    "k == C + h",
    "(q + h) % S == k % S",
    "q - k < S * (h + 1)",
    "k < n // 2",
    "q >= nq - C",
    "-q // S % 3 == k % 3",
    "abs(q // S - k // S) + abs(q % S - k % S) <= R",
    "(k - q) // S % 2 == 1",
};

std::string comparison(Random &random) {
  std::string_view form = kComparisons[random.below(kComparisons.size())];
  std::string step = std::to_string(1 + random.below(39)); // the same wherever S stands
  std::string text;
  for (char letter : form)
    switch (letter) {
    case 'C':
      text += std::to_string(random.below(80));
      break;
    case 'S':
      text += step;
      break;
    case 'R':
      text += std::to_string(random.below(5));
      break;
    default:
      text += letter;
    }
  return text;
}

} // namespace

std::string randomPredicate(Random &random, int depth) {
  if (depth == 0 || random.below(5) == 0)
    return comparison(random);
  std::string left = randomPredicate(random, depth - 1);
  if (random.below(6) == 0)
    return "not (" + left + ")";
  std::string right = randomPredicate(random, depth - 1);
  return "(" + left + (random.below(3) ? ") and (" : ") or (") + right + ")";
}

ForwardCase randomCase(Random &random) {
  auto pick = [&](auto... values) {
    std::array choices = {values...};
    return choices[random.below(choices.size())];
  };
  ForwardCase c;
  c.dtype = pick(DType::BF16, DType::F16, DType::F32);
  c.headDim = pick(16, 32, 48);
  c.valueDim = pick(16, 32, 64);
  c.block = {.q = pick(16, 32, 64), .k = pick(16, 32, 64)};
  c.n = 1 + random.below(150);
  c.nq = pick(c.n, c.n, 1 + random.below(150));
  switch (random.below(4)) {
  case 0: // anywhere near the keys
    c.q0 = random.below(200) - 100;
    break;
  case 1: // far out, where products leave 32 bits
    c.q0 = (int64_t{1} << 31) - 1000 - random.below(1000);
    break;
  default:
    break;
  }
  c.batch = pick(1, 1, 2);
  c.kvHeads = pick(1, 2);
  c.heads = c.kvHeads * pick(1, 2);
  c.order = pick(TensorOrder::BatchHeadRow, TensorOrder::BatchRowHead);
  c.gap = 8 * random.below(3);
  c.rowGap = random.below(5);
  c.surround = pick(Surround::None, Surround::Filled);
  c.inputs = pick(Inputs::Normal, Inputs::Peaked, Inputs::Count);
  c.seed = random.bits();
  return c;
}

Schedule randomSchedule(Random &random, const Expr &attend) {
  auto order = [&]() -> std::optional<OrderSpec> {
    int64_t period = 1 + random.below(40);
    switch (random.below(7)) {
    case 0:
      return NaturalOrder{};
    case 1:
      return ResidueOrder{period};
    case 2:
      return TailsOrder{period, 1 + random.below(period)};
    case 3:
      return GridOrder{{12, 9}, {1 + random.below(6), 1 + random.below(6)}};
    case 4:
      return GridOrder{{5, 4, 6}, {1 + random.below(3), 1 + random.below(4), 1 + random.below(4)}};
    default:
      return std::nullopt;
    }
  };
  Schedule schedule{.orderQ = order(), .orderK = order()};
  if (random.below(3) == 0)
    schedule.orderK = schedule.orderQ;
  if (disjointParts(simplify(attend)).size() > 1 && random.below(2))
    schedule.split = SplitChoice::Always;
  return schedule;
}

std::string runRandomCase(uint64_t seed, Device &device, const CompileFunction &compile,
                          Schedules schedules) {
  Random random(seed);
  std::string text = randomPredicate(random);
  ForwardCase c = randomCase(random);
  std::string what = fmt::format("seed {}: {}\n{}, blocks {} x {}: ", seed, text, describe(c),
                                 c.block.q, c.block.k);
  Result<Expr> predicate = parsePredicate(std::make_shared<SourceText>(SourceText{"random", text}));
  if (!predicate)
    return what + predicate.error().render();
  Pattern pattern{.name = "random", .heads = {{.name = "head0", .attend = *predicate}}};
  BlockSource blocks = BlockSource::Tables;
  if (schedules == Schedules::Any) {
    pattern.heads[0].schedule = randomSchedule(random, *predicate);
    blocks = random.below(4) ? BlockSource::Auto : BlockSource::Tables;
    what += print(pattern) + ": ";
  } else {
    pattern.heads[0].schedule = {
        .orderQ = NaturalOrder{}, .orderK = NaturalOrder{}, .split = SplitChoice::Never};
  }
  Verifier verifier({device, pattern, targetOf(device), compile, blocks});
  Result<std::vector<VerifyRow>> rows = verifier.run(c);
  if (!rows)
    return what + rows.error().render();
  for (const VerifyRow &row : *rows)
    if (!row.passed)
      return what + fmt::format("{}: error {}, bound {}: {}", row.output, row.error, row.bound,
                                row.detail);
  return "";
}

} // namespace sparsec::testing
