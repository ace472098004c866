// sparsec inspect --propose: a pattern that keeps what a model's heads look at.
#include "layout/BlockLayout.h"
#include "patterns/Zoo.h"
#include "tools/sparsec/Inspect.h"

#include <algorithm>
#include <fmt/format.h>
#include <set>

namespace sparsec::cli {

namespace {

constexpr int64_t kSmallest = 4; ///< a parameter that is scaled

/// A pattern's parameters as they are, and made smaller by powers of two, while they are lengths.
std::vector<std::map<std::string, int64_t>> scaled(const Pattern &pattern, int64_t length) {
  std::vector<std::map<std::string, int64_t>> all;
  for (int64_t divisor = 1; divisor <= length; divisor *= 2) {
    std::map<std::string, int64_t> params = pattern.params;
    bool anyLeft = divisor == 1;
    for (auto &[name, value] : params)
      if (value / divisor >= kSmallest) {
        value /= divisor;
        anyLeft = true;
      }
    if (!anyLeft)
      break;
    all.push_back(std::move(params));
  }
  return all;
}

std::string nameOf(const Pattern &pattern, const HeadEntry &head) {
  std::string name = pattern.name;
  if (pattern.heads.size() > 1)
    name += "_" + head.name;
  for (const auto &[param, value] : pattern.params)
    name += fmt::format("_{}{}", param, value);
  std::ranges::replace(name, '-', '_');
  return name;
}

} // namespace

Proposal::Proposal(const Transformer &model, double mass) : model(model), wanted(mass) {
  int64_t n = model.config().model.length;
  Expr causal = (*loadPattern({"causal", {}}))->heads[0].attend;
  std::set<std::string> known;
  for (const std::string &zoo : zooNames()) {
    auto whole = loadPattern({zoo, {}});
    if (!whole)
      continue;
    for (const auto &params : scaled(**whole, n)) {
      auto pattern = loadPattern({zoo, params});
      if (!pattern) // these parameters are not for it
        continue;
      for (const HeadEntry &head : (*pattern)->heads) {
        // Of what is no language model's, the part that is.
        Expr attend = simplify(make(Op::And, {causal, head.attend}));
        if (!known.insert(print(attend)).second)
          continue;
        auto pairs = countElements(attend, {.nq = n, .nk = n, .q0 = 0, .h = 0});
        if (pairs) // what is too much to count is no proposal
          candidates.push_back({nameOf(**pattern, head), attend, *pairs});
      }
    }
  }
  std::ranges::stable_sort(candidates, {}, &Candidate::pairs);
}

Result<void> Proposal::look(AttentionView &view) {
  for (int64_t head = 0; head < model.config().model.heads; ++head) {
    auto own = view.sums(head);
    if (!own)
      return own.error();
    double all = 0;
    for (const BlockSums &each : *own)
      all += each.total();
    for (size_t i = 0; i < candidates.size(); ++i) {
      auto inside = view.mass(head, candidates[i].attend);
      if (!inside)
        return inside.error();
      double sum = 0;
      for (double each : *inside)
        sum += each;
      // `causal` keeps everything, up to rounding.
      if (sum >= wanted * all || i + 1 == candidates.size()) {
        choices.push_back({view.layer(), head, i, sum / all});
        break;
      }
    }
  }
  return {};
}

Pattern Proposal::pattern(const std::string &name) const {
  Pattern made;
  made.name = name;
  made.doc = fmt::format("Of every head the cheapest pattern of the zoo that keeps {} of its mass.",
                         wanted);
  std::map<size_t, int> entries; // by candidate
  for (const Choice &each : choices)
    entries.emplace(each.candidate, 0);
  for (auto &[candidate, entry] : entries) {
    entry = static_cast<int>(made.heads.size());
    made.heads.push_back({.name = candidates[candidate].name,
                          .attend = candidates[candidate].attend,
                          .schedule = {},
                          .where = {},
                          .blockWhere = {},
                          .orderWhere = {},
                          .splitWhere = {}});
  }
  for (const Choice &each : choices) {
    if (each.head == 0)
      made.layers.emplace_back();
    made.layers.back().push_back(entries[each.candidate]);
  }
  return made;
}

std::string Proposal::text() const {
  Table table({{"layer", Table::Right},
               {"head", Table::Right},
               {"proposed"},
               {"mass", Table::Right},
               {"keys a query", Table::Right}});
  auto n = static_cast<double>(model.config().model.length);
  for (const Choice &each : choices) {
    const Candidate &candidate = candidates[each.candidate];
    table.add({fmt::format("{}", each.layer), fmt::format("{}", each.head), candidate.name,
               percent(each.mass),
               fmt::format("{:.1f}", static_cast<double>(candidate.pairs) / n)});
  }
  return table.render(Style());
}

Json Proposal::json() const {
  Json all = Json::array();
  for (const Choice &each : choices)
    all.push_back({{"layer", each.layer},
                   {"head", each.head},
                   {"entry", candidates[each.candidate].name},
                   {"mass", each.mass},
                   {"pairs", candidates[each.candidate].pairs}});
  return all;
}

} // namespace sparsec::cli
