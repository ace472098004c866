// Every refusal of the language, by its exact text: refusals.txt holds inputs and what they give.
//
//   === title
//   --param l=3          options, if any; -e: the input is an expression, not a file
//   name: ...            the input
//   >>>
//   file.yaml:1:7: error: ...
//
// SPARSEC_UPDATE=1 in the environment writes the file anew, to be read before it is committed.
#include "patterns/Pattern.h"

#include <fmt/format.h>
#include <fstream>
#include <gtest/gtest.h>
#include <sstream>

namespace sparsec {
namespace {

struct Case {
  std::string title, input, expected;
  std::vector<std::string> options;
  bool isExpression = false;
};

std::vector<Case> readCases(std::istream &file) {
  std::vector<Case> cases;
  bool inOptions = false, inExpected = false;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("=== ")) {
      cases.push_back({line.substr(4), "", "", {}});
      inOptions = true;
      inExpected = false;
    } else if (line == ">>>") {
      inExpected = true;
    } else if (inExpected) {
      cases.back().expected += line + '\n';
    } else if (inOptions && line == "-e") {
      cases.back().isExpression = true;
    } else if (inOptions && line.starts_with("--param ")) {
      cases.back().options.push_back(line.substr(8));
    } else {
      inOptions = false;
      cases.back().input += line + '\n';
    }
  }
  return cases;
}

/// The files beside file.yaml.
Result<std::shared_ptr<const SourceText>> table(const std::string &name) {
  const std::pair<std::string_view, std::string_view> kTables[] = {{"turned.txt", "2 1\n0\n"},
                                                                   {"twice.txt", "0 1\n1\n"},
                                                                   {"far.txt", "0\n2 1 40\n"},
                                                                   {"word.txt", "0 one 2\n"},
                                                                   {"empty.txt", "\n"}};
  for (auto [file, text] : kTables)
    if (name == file)
      return std::make_shared<const SourceText>(SourceText{name, std::string(text)});
  return inputError(fmt::format("{}: cannot be opened: No such file or directory", name));
}

std::string outcome(const Case &test) {
  PatternOverrides overrides;
  for (const std::string &option : test.options)
    if (Result<void> added = addParam(overrides, option); !added)
      return added.error().render();
  std::string input = test.input;
  if (test.isExpression)
    input = input.substr(0, input.rfind('\n')); // without the line's end
  auto text = std::make_shared<SourceText>(
      SourceText{test.isExpression ? "-e" : "file.yaml", std::move(input)});
  Result<Pattern> pattern = test.isExpression ? patternOfExpression(text, overrides)
                                              : parsePattern(text, overrides, table);
  return pattern ? "accepted:\n" + print(*pattern) : pattern.error().render();
}

TEST(Refusals, ExactTexts) {
  std::ifstream file(SPARSEC_REFUSALS);
  ASSERT_TRUE(file) << SPARSEC_REFUSALS;
  std::vector<Case> cases = readCases(file);
  ASSERT_GT(cases.size(), 150u);
  if (getenv("SPARSEC_UPDATE")) {
    std::ostringstream out; // whole before the file is opened
    for (const Case &test : cases) {
      out << "=== " << test.title << '\n' << (test.isExpression ? "-e\n" : "");
      for (const std::string &option : test.options)
        out << "--param " << option << '\n';
      out << test.input << ">>>\n" << outcome(test);
    }
    std::ofstream(SPARSEC_REFUSALS) << out.str();
    return;
  }
  for (const Case &test : cases) {
    EXPECT_EQ(outcome(test), test.expected) << test.title;
    EXPECT_FALSE(test.expected.starts_with("accepted")) << test.title;
    // Expected, found, and a place.
    EXPECT_TRUE(test.expected.find(": error: ") != std::string::npos &&
                test.expected.find('^') != std::string::npos)
        << test.title;
  }
}

} // namespace
} // namespace sparsec
