#include "patterns/Names.h"

#include "patterns/Prelude.h"

#include <algorithm>
#include <fmt/format.h>
#include <set>

namespace sparsec {

namespace {

struct NamedOp {
  std::string_view name;
  Op op;
};
constexpr NamedOp kLeaves[] = {{"h", Op::Head},    {"q", Op::Query},    {"k", Op::Key},
                               {"n", Op::Keys},    {"nk", Op::Keys},    {"nq", Op::Queries},
                               {"True", Op::True}, {"False", Op::False}};

constexpr Function kFunctions[] = {{"min", Op::Min, 2, 64, "min(a, b)"},
                                   {"max", Op::Max, 2, 64, "max(a, b)"},
                                   {"abs", Op::Abs, 1, 1, "abs(a)"},
                                   {"hash", Op::Hash, 3, 3, "hash(q, k, seed)"},
                                   {"log2", Op::Log2, 1, 1, "log2(d)", true},
                                   {"segment", Op::Segment, 2, 2, "segment(t, ends)", true},
                                   {"drawn", Op::Drawn, 4, 4, "drawn(place, i, m, seed)", true},
                                   // r places: resolved to a union of Op::Drawn
                                   {"draw", Op::True, 5, 5, "draw(r, i, j, m, seed)", true}};

std::string plural(size_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

/// The message for a wrong count of arguments; nothing when it is right. A bare name has none.
std::optional<Error> countError(const Syntax &use, size_t least, size_t most,
                                const std::string &usage) {
  size_t count = use.operands.size();
  if (use.kind == Syntax::Call && most == 0)
    return inputError(fmt::format("'{}' takes no arguments: write '{}'", use.name, use.name),
                      use.span);
  if (count >= least && count <= most)
    return std::nullopt;
  std::string expected =
      least == most ? plural(least, "argument") : fmt::format("{} arguments or more", least);
  if (count > most && least != most)
    expected = fmt::format("at most {} arguments", most);
  return inputError(fmt::format("expected {} for '{}', found {}", expected, usage,
                                count == 0 ? "none" : fmt::format("{}", count)),
                    use.span);
}

/// Depth-first over who uses whom.
class RecursionCheck {
public:
  explicit RecursionCheck(const Scope &scope) : scope(scope) {}

  Result<void> visit(const Definition &definition) {
    if (!done.insert(definition.name).second)
      return {};
    path.push_back(&definition);
    Result<void> result = visitUses(definition.body);
    path.pop_back();
    return result;
  }

private:
  Result<void> visitUses(const Syntax &syntax) {
    for (const Syntax &operand : syntax.operands)
      if (Result<void> result = visitUses(operand); !result)
        return result;
    auto used = scope.definitions.find(syntax.name);
    bool named = syntax.kind == Syntax::Name || syntax.kind == Syntax::Call;
    if (!named || used == scope.definitions.end() || !used->second.where)
      return {}; // the prelude's end
    auto same = [&](const Definition *definition) { return definition == &used->second; };
    auto first = std::find_if(path.begin(), path.end(), same);
    if (first == path.end()) {
      if (path.size() >= kMaxNesting)
        return inputError(
            fmt::format("expected at most {} definitions, each using the next", kMaxNesting),
            syntax.where);
      return visit(used->second);
    }
    std::string way;
    for (auto step = first; step != path.end(); ++step)
      way += fmt::format("'{}' uses ", (*step)->name);
    return inputError(fmt::format("expected definitions that end, found one that calls itself: "
                                  "{}'{}'",
                                  way, syntax.name),
                      syntax.where);
  }

  const Scope &scope;
  std::set<std::string> done;
  std::vector<const Definition *> path;
};

/// Names that other libraries and languages have for what a pattern says, and how it says it.
struct ForeignName {
  std::string_view names; ///< separated by blanks
  std::string_view instead;
};
constexpr ForeignName kForeignNames[] = {
    {"q_idx query_idx q_pos query q_index qi row rows i", "the position of the query is 'q'"},
    {"kv_idx k_idx key_idx kv_pos k_pos key kv kv_index ki col cols column j",
     "the position of the key is 'k'"},
    {"h_idx head head_idx head_index hidx", "the model's head is 'h'"},
    {"b batch b_idx batch_idx",
     "a pattern is the same for every sequence of a batch; what differs by document is a list: "
     "segment(q, ends) == segment(k, ends)"},
    {"seq_len seqlen seq_length length kv_len seqlen_k N", "the number of keys is 'n'"},
    {"q_len seqlen_q", "the number of query rows is 'nq'"},
    {"where select cond if_else", "write 'a if p else b'"},
    {"doc docs document documents document_id doc_id doc_ids document_ids seg_id segment_ids",
     "documents are a list of where they end: segment(q, ends) == segment(k, ends)"},
    {"is_causal causal_mask", "write 'causal': k <= q"},
    {"sliding_window window_size swa sliding", "w keys with the query itself are local(w)"},
    {"floor int trunc", "numbers are integers: '//' rounds down"},
    {"mod fmod remainder", "write 'a % b'"},
    {"bool any all", "comparisons are predicates; join them with 'and' and 'or'"},
    {"xor ne", "write 'p != q' of predicates in parentheses"},
    {"eq", "write '=='"},
    {"logical_and bitwise_and And", "write 'and'"},
    {"logical_or bitwise_or Or", "write 'or'"},
    {"logical_not Not", "write 'not'"},
    {"minimum", "write 'min(a, b)'"},
    {"maximum", "write 'max(a, b)'"},
    {"clip clamp_min", "write 'clamp(x, low, high)'"},
    {"None null nil", "there is no such value: a pattern is True or False"},
    {"len range lambda def return", "expressions have no functions of their own: see 'where:'"},
    {"rand random randint bernoulli",
     "chance is hash(q, k, seed), or draw(r, i, j, m, seed): r of m values for each i"},
};

std::string insteadOf(const std::string &name) {
  for (const ForeignName &foreign : kForeignNames)
    for (size_t at = foreign.names.find(name); at != std::string_view::npos;
         at = foreign.names.find(name, at + 1)) {
      size_t end = at + name.size();
      bool whole = (at == 0 || foreign.names[at - 1] == ' ') &&
                   (end == foreign.names.size() || foreign.names[end] == ' ');
      if (whole)
        return fmt::format(": {}", foreign.instead);
    }
  return "";
}

int editDistance(const std::string &a, const std::string &b) {
  std::vector<int> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j)
    row[j] = static_cast<int>(j);
  for (size_t i = 1; i <= a.size(); ++i) {
    int diagonal = row[0];
    row[0] = static_cast<int>(i);
    for (size_t j = 1; j <= b.size(); ++j) {
      int above = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1])});
      diagonal = above;
    }
  }
  return row[b.size()];
}

} // namespace

std::optional<Op> leafNamed(std::string_view name) {
  for (const NamedOp &leaf : kLeaves)
    if (leaf.name == name)
      return leaf.op;
  return std::nullopt;
}

const Function *functionNamed(std::string_view name) {
  for (const Function &function : kFunctions)
    if (function.name == name)
      return &function;
  return nullptr;
}

std::string usage(const Definition &definition) {
  if (definition.arguments.empty())
    return definition.name;
  return fmt::format("{}({})", definition.name, fmt::join(definition.arguments, ", "));
}

Result<void> checkNames(const Syntax &syntax, const Scope &scope,
                        const std::vector<std::string> &locals) {
  for (const Syntax &operand : syntax.operands)
    if (Result<void> checked = checkNames(operand, scope, locals); !checked)
      return checked;
  if (syntax.kind != Syntax::Name && syntax.kind != Syntax::Call)
    return {};
  std::vector<std::string> values(locals);
  for (const NamedOp &leaf : kLeaves)
    values.emplace_back(leaf.name);
  for (const auto &[name, value] : scope.params)
    values.push_back(name);
  for (const auto &[name, list] : scope.lists)
    values.push_back(name);
  std::optional<Error> wrongCount;
  if (std::find(values.begin(), values.end(), syntax.name) != values.end())
    wrongCount = countError(syntax, 0, 0, syntax.name);
  else if (auto found = scope.definitions.find(syntax.name); found != scope.definitions.end())
    wrongCount = countError(syntax, found->second.arguments.size() - found->second.optional,
                            found->second.arguments.size(), usage(found->second));
  else if (const Function *function = functionNamed(syntax.name))
    wrongCount = countError(syntax, function->least, function->most, std::string(function->usage));
  else {
    for (const Function &function : kFunctions)
      values.emplace_back(function.name);
    for (const auto &[name, definition] : scope.definitions)
      values.push_back(name);
    std::string instead = insteadOf(syntax.name);
    return inputError(fmt::format("unknown name {}{}", quote(syntax.name),
                                  instead.empty() ? suggestion(syntax.name, values) : instead),
                      syntax.where);
  }
  if (wrongCount)
    return *wrongCount;
  return {};
}

std::string suggestion(const std::string &name, const std::vector<std::string> &candidates) {
  if (name.size() > 64)
    return "";
  int best = name.size() <= 2 ? 1 : name.size() <= 5 ? 2 : 3;
  const std::string *nearest = nullptr;
  for (const std::string &candidate : candidates) {
    // A name that shares no letter is not near, however short it is.
    if (candidate.size() > 64 || candidate.size() < 2)
      continue;
    int distance = editDistance(name, candidate);
    if (distance < best || (distance == best && !nearest)) {
      if (distance >= static_cast<int>(std::max(name.size(), candidate.size())))
        continue;
      best = distance;
      nearest = &candidate;
    }
  }
  return nearest ? fmt::format(": did you mean '{}'?", *nearest) : "";
}

bool isIdentifier(const std::string &text) {
  auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  auto digit = [](char c) { return c >= '0' && c <= '9'; };
  return !text.empty() && letter(text[0]) &&
         std::all_of(text.begin(), text.end(), [&](char c) { return letter(c) || digit(c); });
}

Scope::Scope() {
  for (const PreludeEntry &entry : kPrelude) {
    Definition definition;
    definition.name = entry.name;
    for (std::string_view argument : entry.arguments)
      if (!argument.empty())
        definition.arguments.emplace_back(argument);
    definition.text = entry.body;
    definition.optional = entry.optional;
    definition.yielding = entry.yielding;
    auto source = std::make_shared<SourceText>(SourceText{"prelude", definition.text});
    Result<Syntax> body = parseSyntax(wholeText(source));
    assert(body && "the prelude parses");
    definition.body = *std::move(body);
    definitions.emplace(definition.name, std::move(definition));
  }
}

bool isReservedWord(const std::string &name) {
  static constexpr std::string_view kWords[] = {"and", "or",  "not",  "yes",   "no",
                                                "on",  "off", "true", "false", "null"};
  std::string lower = name;
  for (char &c : lower)
    c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return std::find(std::begin(kWords), std::end(kWords), lower) != std::end(kWords);
}

std::string Scope::takenBy(const std::string &name) const {
  const Function *function = functionNamed(name);
  if (isReservedWord(name) || leafNamed(name) || (function && !function->yielding))
    return "a word of the language";
  if (params.count(name) || lists.count(name))
    return "a parameter";
  auto definition = definitions.find(name);
  if (definition == definitions.end() || definition->second.yielding)
    return "";
  return definition->second.where ? "a definition" : "part of the prelude";
}

bool Scope::yields(const std::string &name) const {
  const Function *function = functionNamed(name);
  auto definition = definitions.find(name);
  return (function && function->yielding) ||
         (definition != definitions.end() && definition->second.yielding);
}

Result<void> checkDefinitions(const Scope &scope) {
  for (const auto &[name, definition] : scope.definitions)
    if (!definition.where)
      continue; // the prelude is right, and none of a file's names are in it
    else if (Result<void> checked = checkNames(definition.body, scope, definition.arguments);
             !checked)
      return checked;
  RecursionCheck recursion(scope);
  for (const auto &[name, definition] : scope.definitions)
    if (!definition.where)
      continue;
    else if (Result<void> checked = recursion.visit(definition); !checked)
      return checked;
  return {};
}

} // namespace sparsec
