// Some thousands of texts that are nearly patterns: the zoo's files and expressions, cut, joined
// and spoilt, the same ones in every run. `./dev fuzz` goes on for as long as one likes.
#include "patterns/Pattern.h"
#include "tests/fuzz/CheckInput.h"
#include "tests/patterns/EnumeratePredicates.h"

#include <gtest/gtest.h>

namespace sparsec::testing {
namespace {

constexpr int kFiles = 4000, kExpressions = 1500;

class Mutator {
public:
  explicit Mutator(uint64_t seed) : random(seed) {
    for (const std::string &name : zooNames())
      texts.push_back(zooFile(name)->text);
    texts.emplace_back("name: a\nparams: {ends: {file: ends.txt}, l: 3}\n"
                       "heads: [{attend: \"k in ends if q < l else segment(q, ends) == 1\"}]\n");
  }

  std::string next() {
    std::string text = texts[below(texts.size())];
    for (size_t count = 1 + below(4); count > 0; --count)
      mutate(text);
    return text;
  }

private:
  size_t below(size_t n) { return n ? random() % n : 0; }

  void mutate(std::string &text) {
    static const char *const kPieces[] = {"q",
                                          "k",
                                          "n",
                                          "h",
                                          "nq",
                                          " and ",
                                          " or ",
                                          "not ",
                                          "(",
                                          ")",
                                          " // ",
                                          " % ",
                                          " * ",
                                          " - ",
                                          " in [1, 5, 9]",
                                          " if q < k else ",
                                          "segment(k, [3, 7])",
                                          "draw(2, q, k, n, 1)",
                                          "moved(q, k, 3, 20)",
                                          "log2(q - k)",
                                          "power_of_two(k)",
                                          "0",
                                          "-1",
                                          "9223372036854775807",
                                          "2147483647",
                                          "causal",
                                          "local(3)",
                                          "hash(q, k, 1)",
                                          "[",
                                          "]",
                                          "{",
                                          "}",
                                          ": ",
                                          ", ",
                                          "\n",
                                          "\n  ",
                                          "\"",
                                          "'",
                                          "#",
                                          "&a",
                                          "*a",
                                          "!!int ",
                                          "\t",
                                          "\xc3\xa9",
                                          "\xff",
                                          "== ",
                                          " < ",
                                          "min(q, 3)"};
    size_t at = below(text.size() + 1), length = below(12);
    switch (below(5)) {
    case 0: // left out
      text.erase(at, length);
      break;
    case 1: // said twice
      text.insert(at, text.substr(below(text.size() + 1), 1 + below(40)));
      break;
    case 2: { // from another
      const std::string &other = texts[below(texts.size())];
      text.replace(at, length, other.substr(below(other.size()), 1 + below(60)));
      break;
    }
    case 3: // a byte
      if (at < text.size())
        text[at] = static_cast<char>(random());
      break;
    default:
      text.replace(at, below(3) ? 0 : length, kPieces[below(std::size(kPieces))]);
    }
  }

  std::mt19937_64 random;
  std::vector<std::string> texts;
};

TEST(Fuzz, TextsThatAreNearlyPatterns) {
  Mutator mutator(20261130);
  for (int i = 0; i < kFiles; ++i) {
    std::string text = mutator.next(), wrong = checkInput(text);
    ASSERT_TRUE(wrong.empty()) << wrong << "\nof the text\n" << text;
  }
}

TEST(Fuzz, Predicates) {
  RandomPredicates random(20261130);
  for (int i = 0; i < kExpressions; ++i) {
    std::string text = print(random.predicate(1 + i % 12)), wrong = checkInput(text);
    ASSERT_TRUE(wrong.empty()) << wrong << "\nof the text\n" << text;
  }
}

} // namespace
} // namespace sparsec::testing
