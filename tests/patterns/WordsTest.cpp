// The words on lists, draws, neighbourhoods and choices, against definitions of their own.
#include "patterns/Classify.h"
#include "patterns/Pattern.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace sparsec {
namespace {

Result<std::shared_ptr<const SourceText>> files(const std::string &name) {
  if (name == "ends.txt")
    return std::make_shared<const SourceText>(SourceText{name, "5, 9\n40 -3\n"});
  return inputError(fmt::format("{}: cannot be opened: No such file or directory", name));
}

Pattern read(const std::string &text, const PatternOverrides &overrides = {}) {
  auto source = std::make_shared<const SourceText>(SourceText{"file.yaml", text});
  Result<Pattern> pattern = parsePattern(source, overrides, files);
  EXPECT_TRUE(pattern) << (pattern ? "" : pattern.error().render());
  return pattern ? *pattern : Pattern{};
}

Expr parse(const std::string &text) {
  Result<Expr> expr = parsePredicate(std::make_shared<const SourceText>(SourceText{"-e", text}));
  EXPECT_TRUE(expr) << text << ": " << (expr ? "" : expr.error().render());
  return expr ? *expr : leaf(Op::False);
}

bool holds(const std::string &text, int64_t q, int64_t k, Sizes sizes = {.nq = 100, .nk = 100}) {
  return evaluate(parse(text), {.h = 0, .q = q, .k = k}, sizes);
}

std::set<int64_t> keysOf(const Expr &expr, int64_t q, Sizes sizes) {
  std::set<int64_t> keys;
  for (int64_t k = 0; k < sizes.nk; ++k)
    if (evaluate(expr, {.h = 0, .q = q, .k = k}, sizes))
      keys.insert(k);
  return keys;
}

//===-- Lists ---------------------------------------------------------------------------------===//

TEST(Lists, MembersAndSegments) {
  std::vector<int64_t> ends = {9, 5, 40, 6, 5, -3};
  Expr in = parse("k in [9, 5, 40, 6, 5, -3]"), notIn = parse("k not in [9, 5, 40, 6, 5, -3]");
  for (int64_t k = -6; k < 60; ++k) {
    bool member = std::find(ends.begin(), ends.end(), k) != ends.end();
    EXPECT_EQ(evaluate(in, {.k = k}, {}), member) << k;
    EXPECT_EQ(evaluate(notIn, {.k = k}, {}), !member) << k;
    int64_t count = std::count_if(ends.begin(), ends.end(), [&](int64_t end) { return end <= k; });
    EXPECT_TRUE(holds(fmt::format("segment(k, [9, 5, 40, 6, 5, -3]) == {}", count), 0, k)) << k;
  }
}

TEST(Lists, OfParametersAndFiles) {
  Pattern inPlace =
      read("name: a\nparams: {ends: [-3, 5, 9, 40]}\n"
           "heads: [{attend: \"causal and segment(q, ends) == segment(k, ends)\"}]\n");
  Pattern ofFile = read("name: a\nparams: {ends: {file: ends.txt}}\n"
                        "heads: [{attend: \"causal and segment(q, ends) == segment(k, ends)\"}]\n");
  EXPECT_TRUE(equal(inPlace, ofFile));
  Pattern passed = read("name: a\nparams: {ends: {file: ends.txt}}\n"
                        "where:\n  among(t, list): t in list\n"
                        "heads: [{attend: \"among(k, ends) or among(q, [1, 2])\"}]\n");
  EXPECT_EQ(print(passed.heads[0].attend), "k in [-3, 5, 9, 40] or q in [1, 2]");
  EXPECT_EQ(print(passed), "name: a\nparams: {ends: [-3, 5, 9, 40]}\nheads:\n  - name: head0\n"
                           "    attend: k in ends or q in [1, 2]\n");
  EXPECT_TRUE(equal(read(print(passed)), passed));
}

TEST(Lists, PrintAsTheyAreRead) {
  for (const char *text :
       {"k in [1, 2, 3, 9]", "k not in [4]", "segment(k, [1, 1, 7]) % 2 == 1",
        "not k in [3] and (q in [1]) == (k in [2])", "(q - k) in [0, -5]",
        "(k if q < k else q) < 3", "(1 if q < 3 else 2 if k < 3 else 3) == n",
        "draw(2, q // 4, k // 4, 9, 1)", "moved(q, k, 5, 30, 2, 3)", "power_of_two(q - k)"}) {
    Expr expr = parse(text);
    EXPECT_TRUE(equal(parse(print(expr)), expr)) << text << " became " << print(expr);
    Expr simple = simplify(expr);
    EXPECT_TRUE(equal(parse(print(simple)), simple)) << text << " became " << print(simple);
    EXPECT_TRUE(equal(simplify(simple), simple)) << text;
  }
}

TEST(Lists, ALongOneIsProvedByItsEnds) {
  std::vector<int64_t> ends;
  for (int64_t end = 1000; end < 1'000'000; end += 1000)
    ends.push_back(end);
  Expr same = make(Op::Equal, {segment(leaf(Op::Query), makeList(ends)),
                               segment(leaf(Op::Key), makeList(ends))});
  auto over = [&](int64_t q, int64_t k, int64_t count) {
    return classify(same, {{q, 1, count}, {k, 1, count}}, 0, {});
  };
  EXPECT_EQ(over(5000, 5000, 1000), Coverage::Full);
  EXPECT_EQ(over(5000, 6000, 1000), Coverage::Empty);
  EXPECT_EQ(over(5000, 5001, 1000), Coverage::Mixed);
}

//===-- Draws ---------------------------------------------------------------------------------===//

TEST(Draws, EachValueHasOnePlace) {
  for (int64_t m : {1, 2, 3, 7, 64, 100, 1023})
    for (int64_t i : {0, 1, 17}) {
      std::set<int64_t> values;
      for (int64_t place = 0; place < m; ++place) {
        int64_t value = drawnValue(place, i, m, 5);
        EXPECT_TRUE(0 <= value && value < m);
        values.insert(value);
      }
      EXPECT_EQ(static_cast<int64_t>(values.size()), m);
    }
}

TEST(Draws, ExactlySoManyForEachQuery) {
  Sizes sizes = {.nq = 40, .nk = 40};
  for (int64_t r : {0, 1, 3, 11}) {
    Expr drawn = parse(fmt::format("draw({}, q, k, q + 1, 3)", r));
    for (int64_t q = 0; q < 40; ++q) {
      std::set<int64_t> keys = keysOf(drawn, q, sizes);
      EXPECT_EQ(static_cast<int64_t>(keys.size()), std::min(r, q + 1)) << r << " at " << q;
      EXPECT_TRUE(keys.empty() || *keys.rbegin() <= q);
    }
  }
}

/// Each value about equally often, and each pair of neighbouring places too: the chi-square of 64
/// cells stays below its 99.99 % quantile for 63 degrees of freedom.
TEST(Draws, AreSpreadEvenly) {
  constexpr int kValues = 64, kRows = 6400;
  std::vector<int> first(kValues), distance(kValues);
  for (int64_t i = 0; i < kRows; ++i) {
    int64_t a = drawnValue(0, i, kValues, 1), b = drawnValue(1, i, kValues, 1);
    ++first[a];
    ++distance[(b - a + kValues) % kValues];
  }
  auto chiSquare = [](const std::vector<int> &counts, size_t from, double expected) {
    double sum = 0;
    for (size_t i = from; i < counts.size(); ++i)
      sum += (counts[i] - expected) * (counts[i] - expected) / expected;
    return sum;
  };
  EXPECT_LT(chiSquare(first, 0, double(kRows) / kValues), 112);
  EXPECT_EQ(distance[0], 0);
  EXPECT_LT(chiSquare(distance, 1, double(kRows) / (kValues - 1)), 112);
}

//===-- Neighbourhoods ------------------------------------------------------------------------===//

/// The definition of generalised neighbourhood attention, an axis at a time.
std::set<int64_t> neighbours(int64_t t, int64_t size, int64_t length, int64_t stride,
                             int64_t dilation) {
  int64_t place = t / dilation, places = (length - t % dilation + dilation - 1) / dilation;
  int64_t left = size / 2, right = size / 2 + size % 2 - 1;
  int64_t leader = std::min(place / stride * stride + stride / 2, places - 1);
  int64_t start = std::max<int64_t>(leader - left, 0);
  if (leader + right >= places)
    start += places - right - leader - 1;
  start = std::max<int64_t>(start, 0); // of an axis shorter than the window: all of it
  std::set<int64_t> keys;
  for (int64_t u = start; u < std::min(start + size, places); ++u)
    keys.insert(u * dilation + t % dilation);
  return keys;
}

TEST(Moved, IsTheNeighbourhoodOfItsDefinition) {
  for (int64_t length : {1, 5, 12, 13})
    for (int64_t size : {1, 2, 5, 12})
      for (int64_t stride : {1, 2, 3})
        for (int64_t dilation : {1, 2, 4}) {
          if (size * dilation > length)
            continue;
          Expr near =
              parse(fmt::format("moved(q, k, {}, {}, {}, {})", size, length, stride, dilation));
          for (int64_t t = 0; t < length; ++t)
            EXPECT_EQ(keysOf(near, t, {.nq = length, .nk = length}),
                      neighbours(t, size, length, stride, dilation))
                << t << " of " << length << ", " << size << ", " << stride << ", " << dilation;
        }
}

TEST(Moved, SaysLessWhereStrideAndDilationAreOne) {
  EXPECT_EQ(print(parse("moved(q, k, 7, 64)")),
            "0 <= k - max(0, min(min(q, 63) - 3, 57)) and k - max(0, min(min(q, 63) - 3, 57)) < 7 "
            "and k < 64");
}

//===-- Logarithms, choices, predicates compared ----------------------------------------------===//

TEST(Words, PowersOfTwo) {
  for (int64_t d = -70; d < 70; ++d) {
    bool power = d >= 1 && (d & (d - 1)) == 0;
    EXPECT_EQ(holds("power_of_two(q - k)", d, 0), power) << d;
    int64_t log = -1;
    while (d >= int64_t(1) << (log + 1))
      ++log;
    EXPECT_TRUE(holds(fmt::format("log2(q) == {}", log), d, 0)) << d;
  }
}

TEST(Words, PredicatesCompareAndChoose) {
  for (int64_t q = 0; q < 6; ++q)
    for (int64_t k = 0; k < 6; ++k) {
      EXPECT_EQ(holds("(q < 3) == (k < 3)", q, k), (q < 3) == (k < 3));
      EXPECT_EQ(holds("(q < 3) != (k < 3)", q, k), (q < 3) != (k < 3));
      EXPECT_EQ(holds("k == q if q < 3 else k < q", q, k), q < 3 ? k == q : k < q);
      EXPECT_EQ(holds("(q if q < 3 else k if k < 2 else 9) < 4", q, k), (q < 3   ? q
                                                                         : k < 2 ? k
                                                                                 : 9) < 4);
    }
}

TEST(Words, ClampIsOfTheLanguage) {
  EXPECT_EQ(print(parse("clamp(q, 1, 5) < k")), "min(max(q, 1), 5) < k");
}

//===-- Guards --------------------------------------------------------------------------------===//

TEST(Guards, BoundTheDivisor) {
  EXPECT_EQ(print(parse("causal and 5 // (q - k + 1) > 2")),
            "k <= q and 5 // max(q - k + 1, 1) > 2");
  EXPECT_EQ(print(parse("q < k or 5 % (q - k + 1) > 2")), "q < k or 5 % max(q - k + 1, 1) > 2");
  EXPECT_EQ(print(parse("(7 // (q - k) if k < q else 0) == 3")),
            "(7 // max(q - k, 1) if k < q else 0) == 3");
  EXPECT_EQ(print(parse("not (q <= 9 or 7 // (q - 9) == 3)")),
            "not (q <= 9 or 7 // max(q - 9, 1) == 3)");
  EXPECT_EQ(
      print(parse("0 <= q and q < 2000000 and q * q * q < k")),
      "0 <= q and q < 2000000 and min(max(q * q, 0), 3999996000001) * min(max(q, 0), 1999999) "
      "< k")
      << "a value that may leave 64 bits elsewhere";
}

TEST(Guards, CountOnlyWhatStandsBefore) {
  auto refused = [](const char *text) {
    return !parsePredicate(std::make_shared<const SourceText>(SourceText{"-e", text}));
  };
  EXPECT_TRUE(refused("5 // (q - k + 1) > 2 and causal"));
  EXPECT_TRUE(refused("causal or 5 // (q - k + 1) > 2"));
  EXPECT_TRUE(refused("(causal or q < 3) and 5 // (q - k + 1) > 2"));
  EXPECT_TRUE(refused("causal and 5 // (q - k) > 2"));
  EXPECT_TRUE(refused("(causal and q < 3) or 5 // (q - k + 1) > 2"));
}

//===-- Names ---------------------------------------------------------------------------------===//

TEST(Names, AFilesOwnDefinitionWins) {
  Pattern pattern =
      read("name: a\nparams: {segment: 3}\n"
           "where:\n  clamp(x): min(x, segment)\n  log2(a, b): a * b\n  if: 7\n"
           "  draw: q < 3\n"
           "heads: [{attend: \"clamp(q) < log2(k, if) and draw and power_of_two(q)\"}]\n");
  EXPECT_EQ(print(pattern.heads[0].attend),
            "min(q, 3) < k * 7 and q < 3 and log2(q) != log2(q - 1)");
  std::string warnings;
  for (const Error &warning : pattern.warnings)
    warnings += warning.renderWarning();
  EXPECT_EQ(
      warnings,
      R"(file.yaml:2:10: warning: 'segment' is a word of the language too: here it is what this file says
  params: {segment: 3}
           ^~~~~~~
file.yaml:4:3: warning: 'clamp' is a word of the language too: here it is what this file says
    clamp(x): min(x, segment)
    ^~~~~
file.yaml:5:3: warning: 'log2' is a word of the language too: here it is what this file says
    log2(a, b): a * b
    ^~~~
file.yaml:7:3: warning: 'draw' is a word of the language too: here it is what this file says
    draw: q < 3
    ^~~~
)");
}

} // namespace
} // namespace sparsec
