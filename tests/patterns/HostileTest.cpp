// Files made to hurt: refused, or read, in bounded work and memory.
#include "patterns/Pattern.h"
#include "tests/Sanitized.h"
#include "tests/Steps.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

namespace sparsec {
namespace {

constexpr long kMegabytes = 64;
/// Steps for a text of 256 KiB, the longest: 220 a byte. The dearest of these takes 37 million (the
/// proof that none of 1,024 heads is empty); a byte looked at for each byte would be 69 10^9.
constexpr uint64_t kSteps = 56'000'000;

long peakMegabytes() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss / 1024;
}

std::string repeated(std::string_view text, int times) {
  if (text.size() == 1)
    return std::string(size_t(times), text[0]); // a hundred million of them
  std::string out;
  out.reserve(text.size() * times);
  for (int i = 0; i < times; ++i)
    out += text;
  return out;
}

/// What reading gives, "accepted" or the message; fails when it takes much of either.
template <class Read>
std::string bounded(Read read) {
  long before = peakMegabytes();
  uint64_t start = test::stepsTaken();
  Result<Pattern> pattern = read();
  std::string outcome = pattern ? "accepted" : pattern.error().message;
  EXPECT_LT(pattern ? 0 : pattern.error().render().size(), 1000u);
  uint64_t steps = test::stepsTaken() - start;
  if (!kSanitized) {
    EXPECT_GT(steps, 0u) << "nothing is counted";
    EXPECT_LT(steps, kSteps) << outcome;
    EXPECT_LT(peakMegabytes() - before, kMegabytes);
  }
  return outcome;
}

std::shared_ptr<const SourceText> source(std::string text) {
  return std::make_shared<SourceText>(SourceText{"hostile", std::move(text)});
}
std::string file(std::string text) {
  auto from = source(std::move(text));
  return bounded([&] { return parsePattern(from); });
}
std::string expression(std::string text) {
  auto from = source(std::move(text));
  return bounded([&] { return patternOfExpression(from); });
}
std::string attend(const std::string &text) {
  return file("name: a\nheads:\n  - attend: " + text + "\n");
}

TEST(Hostile, DeepNesting) {
  const char *tooDeep = "expected nesting of at most 256, found more";
  int deep = 20'000;
  EXPECT_EQ(expression(repeated("(", deep) + "q < k" + repeated(")", deep)), tooDeep);
  EXPECT_EQ(attend(repeated("(", deep) + "q < k" + repeated(")", deep)), tooDeep);
  EXPECT_EQ(attend(repeated("(", deep)), tooDeep);
  EXPECT_EQ(expression(repeated("not ", deep) + "q < k"), tooDeep);
  EXPECT_EQ(expression(repeated("-", deep) + "q < k"), tooDeep);
  EXPECT_EQ(expression(repeated("abs(", deep) + "q" + repeated(")", deep)), tooDeep);
  EXPECT_EQ(expression(repeated("(", 256) + "q < k" + repeated(")", 256)), "accepted");
  EXPECT_EQ(expression(repeated("(", 257) + "q < k" + repeated(")", 257)), tooDeep);
  EXPECT_EQ(expression(repeated(")", deep)), "expected a number, a name or '(', found ')'");
}

TEST(Hostile, LongChains) {
  EXPECT_EQ(expression("q < k" + repeated(" + q", 40'000)),
            "expected at most 1000 operators in a row");
  EXPECT_EQ(expression("q < k" + repeated(" or q < k", 20'000)),
            "expected at most 1000 operators in a row");
  EXPECT_EQ(expression("q" + repeated(" < k", 20'000)), "expected at most 1000 operators in a row");
  EXPECT_EQ(expression("q < k" + repeated(" or q % 7 < k", 980)), "accepted");
  std::string different = "q < k";
  for (int i = 0; i < 980; ++i)
    different += fmt::format(" or q % {} < k + {}", i + 2, i);
  EXPECT_EQ(expression(different), "accepted");
  std::string sum = "q";
  for (int i = 0; i < 980; ++i)
    sum += fmt::format(" + k % {}", i + 2);
  EXPECT_EQ(expression(sum + " < 9"), "accepted");
  std::string deepSum = "q";
  for (int i = 0; i < 250; ++i)
    deepSum = fmt::format("({} + k) % {}", deepSum, 1'000'003 + i);
  EXPECT_EQ(expression(deepSum + " < 9"), "accepted");
  EXPECT_EQ(expression(repeated("q<k or ", 37'000)),
            "expected an expression of at most 100000 tokens");
}

TEST(Hostile, DeepYaml) {
  const char *tooDeep = "expected collections nested at most 64 deep, found more";
  EXPECT_EQ(file(repeated("[", 260'000)), tooDeep);
  EXPECT_EQ(file(repeated("{", 260'000)), tooDeep);
  EXPECT_EQ(file(repeated("{a: ", 60'000)), tooDeep);
  EXPECT_EQ(file(repeated("- ", 130'000)), tooDeep);
  EXPECT_EQ(file(repeated("? ", 130'000)), tooDeep);
  std::string staircase;
  for (int i = 0; i < 600; ++i)
    staircase += std::string(i, ' ') + "a:\n";
  EXPECT_EQ(file(staircase), tooDeep);
}

TEST(Hostile, YamlBombs) {
  std::string laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 40; ++i)
    laughs += fmt::format("a{0}: &a{0} [*a{1}, *a{1}, *a{1}, *a{1}, *a{1}]\n", i, i - 1);
  EXPECT_EQ(file(laughs), "expected a value, found an anchor: write the value where it is used");
  EXPECT_NE(file(repeated("&a ", 86'000)), "accepted");
  EXPECT_NE(file(repeated("*a ", 86'000)), "accepted");
  EXPECT_NE(file(repeated("!a ", 86'000)), "accepted");
  EXPECT_NE(file(repeated("--- a\n", 40'000)), "accepted");
  EXPECT_NE(file(repeated("%YAML 1.2\n", 25'000)), "accepted");
  EXPECT_NE(file(repeated("'", 260'000)), "accepted");
  EXPECT_NE(file(repeated("\"", 260'000)), "accepted");
  EXPECT_NE(file(repeated(": ", 130'000)), "accepted");
  EXPECT_NE(file(repeated(",", 260'000)), "accepted");
  EXPECT_NE(file("[" + repeated("(,", 130'000) + "]"), "accepted");
  EXPECT_NE(file("[" + repeated("(a, b), ", 30'000) + "]"), "accepted");
  EXPECT_NE(file("name: |\n" + repeated(" x\n", 86'000)), "accepted");
  EXPECT_NE(file(repeated("\n", 260'000)), "accepted");
  EXPECT_NE(file(repeated("#", 260'000)), "accepted");
}

TEST(Hostile, SizeAndLines) {
  EXPECT_EQ(file(repeated("x", 100'000'000)),
            "expected a pattern file of at most 262144 bytes, found 100000000");
  EXPECT_EQ(expression(repeated("x", 100'000'000)),
            "expected an expression of at most 262144 bytes, found 100000000");
  EXPECT_EQ(expression(repeated("x", 260'000)), "unknown name '" + repeated("x", 60) + "...'");
  EXPECT_EQ(expression(repeated("9", 200'000)),
            "expected an integer that fits 64 bits, found '" + repeated("9", 60) + "...'");
  EXPECT_EQ(attend(repeated(" ", 260'000) + "zz < 3"), "unknown name 'zz'");
  EXPECT_EQ(file(repeated("x", 260'000) + ": 1"),
            "expected no second ': ' in one value: quote it, found ':'");
}

TEST(Hostile, Bytes) {
  EXPECT_EQ(file(std::string("name: a\0b", 9)), "expected text, found control character 0x00");
  EXPECT_EQ(file("name: a\x04\n"), "expected text, found control character 0x04");
  EXPECT_EQ(file("name: \x1b[31m\n"), "expected text, found control character 0x1b");
  EXPECT_EQ(file("name: \xff\xfe\n"), "expected UTF-8 text, found byte 0xff");
  EXPECT_EQ(file("\xff\xfen\0a"), "expected UTF-8 text, found byte 0xff");
  EXPECT_EQ(file("name: \xc0\xaf\n"), "expected UTF-8 text, found byte 0xc0");
  EXPECT_EQ(file("name: \xed\xa0\x80\n"), "expected UTF-8 text, found byte 0xed");
  EXPECT_EQ(file("name: \xf4\x90\x80\x80\n"), "expected UTF-8 text, found byte 0xf4");
  EXPECT_EQ(file("name: \xe2\x82"), "expected UTF-8 text, found byte 0xe2");
  EXPECT_EQ(expression(std::string("q < k\0", 6)), "expected an expression, found byte 0x00");
  EXPECT_EQ(expression("q < \xff"), "expected an expression, found byte 0xff");
}

TEST(Hostile, ByteOrderMarkAndLineEnds) {
  const char *plain = "name: a\nparams: {l: 3}\nheads:\n  - {attend: causal and local(l)}\n";
  std::string dressed = "\xef\xbb\xbf";
  for (const char *c = plain; *c; ++c)
    dressed += *c == '\n' ? std::string("\r\n") : std::string(1, *c);
  Result<Pattern> a = parsePattern(source(plain)), b = parsePattern(source(dressed));
  ASSERT_TRUE(a && b);
  EXPECT_TRUE(equal(*a, *b));
  Result<Pattern> wrong = parsePattern(source("\xef\xbb\xbfnome: a\r\nheads: x\r\n"));
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().where->column, 4);
}

TEST(Hostile, Definitions) {
  std::string doubling = "name: a\nwhere:\n  d0: q\n", forgetting = "name: a\nwhere:\n  z(a): 1\n";
  forgetting += "  d0: q\n";
  std::string chain = "name: a\nwhere:\n";
  for (int i = 1; i < 60; ++i) {
    doubling += fmt::format("  d{}: d{} % 3 + d{} % 3\n", i, i - 1, i - 1);
    forgetting += fmt::format("  d{}: z(d{}) + z(d{})\n", i, i - 1, i - 1);
  }
  for (int i = 0; i < 9'000; ++i)
    chain += fmt::format("  d{}: d{} + 1\n", i, i + 1);
  const char *tooLarge =
      "expected a pattern of at most 100000 operations after its definitions are "
      "expanded, found more";
  EXPECT_EQ(file(doubling + "heads: [{attend: d59 < 3}]\n"), tooLarge);
  EXPECT_EQ(file(forgetting + "heads: [{attend: d59 < 3}]\n"), tooLarge);
  EXPECT_EQ(file(chain + "  d9000: q\nheads: [{attend: d0 < 3}]\n"),
            "expected at most 256 definitions, each using the next");
  std::string wide = "name: a\nwhere:\n";
  for (int i = 0; i < 9'000; ++i)
    wide += fmt::format("  x{}: q + {}\n", i, i);
  EXPECT_EQ(file(wide + "heads: [{attend: causal}]\n"), "accepted");
  EXPECT_EQ(file(wide + "heads: [{attend: y3}]\n"), "unknown name 'y3': did you mean 'x3'?");
}

/// The largest patterns that are accepted: reading them includes the proof that no head is empty.
TEST(Hostile, LargestAccepted) {
  std::string halving = "name: a\nwhere:\n  d0(i): q % (i + 2) < k or q < k * i\n";
  for (int i = 1; i < 10; ++i)
    halving +=
        fmt::format("  d{0}(i): d{1}(2 * i) {2} d{1}(2 * i + 1)\n", i, i - 1, i % 2 ? "and" : "or");
  EXPECT_EQ(file(halving + "heads: [{attend: d9(1)}]\n"), "accepted");
  std::string nested = "q";
  for (int i = 0; i < 200; ++i)
    nested = fmt::format("max({}, k % {})", nested, i + 2);
  EXPECT_EQ(attend("\"" + nested + " < 5\""), "accepted");
  std::string heads = "name: a\nheads:\n";
  for (int i = 0; i < 1'024; ++i)
    heads += fmt::format("  - attend: causal and every({}) or same({})\n", i + 1, i + 2);
  EXPECT_EQ(file(heads), "accepted");
  EXPECT_EQ(file(heads + "  - attend: causal\n"), "expected at most 1024 heads, found 1025");
}

TEST(Hostile, ManyLayers) {
  std::string heads = "name: a\nheads:\n", layer = "[";
  for (int i = 0; i < 1'000; ++i) {
    heads += fmt::format("  - {{name: x{}, attend: causal}}\n", i);
    layer += i ? ",x999" : "x999";
  }
  std::string layers = "layers:\n";
  for (int i = 0; i < 40; ++i)
    layers += "  - " + layer + "]\n";
  EXPECT_EQ(file(heads + layers), "accepted");
  EXPECT_EQ(file(heads + "layers: [" + repeated("x0, ", 2'000) + "x1]\n"),
            "expected at most 1024 layers, found 2001");
}

} // namespace
} // namespace sparsec
