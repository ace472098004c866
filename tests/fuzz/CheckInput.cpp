#include "tests/fuzz/CheckInput.h"

#include "layout/BlockLayout.h"
#include "patterns/Pattern.h"

#include <fmt/format.h>

namespace sparsec::testing {

namespace {

Result<std::shared_ptr<const SourceText>> files(const std::string &name) {
  if (name == "ends.txt")
    return std::make_shared<const SourceText>(SourceText{name, "3 7 8 11 20"});
  return inputError(fmt::format("{}: cannot be opened: No such file or directory", name));
}

std::string checkRefusal(const Error &error) {
  std::string text = error.render();
  if (error.kind != ErrorKind::Input)
    return fmt::format("a text that is wrong is no fault of ours: {}", text);
  if (error.message.empty() || text.find("error: ") == std::string::npos)
    return fmt::format("a refusal says why: {}", text);
  return "";
}

/// Both halves of a layout and the count, against the meaning.
std::string checkHead(const Expr &attend, const LayoutRequest &request) {
  Evaluator evaluator(attend, request.h, request.sizes());
  Result<BlockLayout> layout = BlockLayout::build(attend, request);
  if (!layout)
    return fmt::format("no layout: {}", layout.error().render());
  int64_t elements = 0;
  std::string picture = layout->print(), expected;
  for (int64_t row = 0; row < request.nq; row += request.blockQ) {
    for (int64_t column = 0; column < request.nk; column += request.blockK) {
      int64_t attended = 0, pairs = 0;
      bool whole = column + request.blockK <= request.nk;
      for (int64_t q = row; q < std::min(row + request.blockQ, request.nq); ++q)
        for (int64_t k = column; k < std::min(column + request.blockK, request.nk); ++k) {
          bool sees = evaluator.at(request.q0 + q, k);
          if (sees !=
              evaluate(attend, {.h = request.h, .q = request.q0 + q, .k = k}, request.sizes()))
            return fmt::format("two readings at q {} k {} of {}", request.q0 + q, k, print(attend));
          attended += sees;
          ++pairs;
        }
      elements += attended;
      expected += attended == 0 ? ". " : attended == pairs && whole ? "F " : "P ";
    }
    expected.back() = '\n';
  }
  if (picture != expected)
    return fmt::format("a layout of {}:\n{}instead of\n{}", print(attend), picture, expected);
  Result<int64_t> counted = countElements(attend, request);
  if (!counted || *counted != elements)
    return fmt::format("{} pairs counted of {}, where {} are", counted ? *counted : -1,
                       print(attend), elements);
  return "";
}

std::string checkPattern(const Pattern &pattern) {
  std::string text = print(pattern);
  if (text.size() <= kMaxPatternBytes) {
    Result<Pattern> again =
        parsePattern(std::make_shared<const SourceText>(SourceText{"printed", text}));
    bool ofTable = text.find("table: ") != std::string::npos; // its file is not at hand
    if (!again && !ofTable)
      return fmt::format("what is printed does not read: {}\n{}", again.error().render(), text);
    if (again && !equal(*again, pattern))
      return fmt::format("what is printed reads as another pattern:\n{}", text);
  }
  constexpr size_t kHeads = 3;
  constexpr int64_t kLargest = 400; // operations: larger ones take long, and say nothing new
  for (size_t i = 0; i < std::min(pattern.heads.size(), kHeads); ++i) {
    const Expr &attend = pattern.heads[i].attend;
    if (attend->size > kLargest)
      continue;
    LayoutRequest tall{.nq = 19, .nk = 23, .q0 = 4, .h = 1, .blockQ = 4, .blockK = 8};
    LayoutRequest cells = tall;
    cells.search = LayoutRequest::Search::Cells;
    for (const LayoutRequest &request :
         {tall, cells,
          LayoutRequest{.nq = 9, .nk = 6, .q0 = -3, .h = 2, .blockQ = 3, .blockK = 2}}) {
      if (std::string wrong = checkHead(attend, request); !wrong.empty())
        return wrong;
      if (std::string wrong = checkHead(simplify(attend), request); !wrong.empty())
        return "simplified: " + wrong;
    }
  }
  return "";
}

std::string checkOutcome(const Result<Pattern> &pattern) {
  return pattern ? checkPattern(*pattern) : checkRefusal(pattern.error());
}

} // namespace

std::string checkInput(const std::string &text) {
  auto source = std::make_shared<const SourceText>(SourceText{"fuzzed", text});
  if (std::string wrong = checkOutcome(parsePattern(source, {}, files)); !wrong.empty())
    return wrong;
  return checkOutcome(patternOfExpression(source));
}

} // namespace sparsec::testing
