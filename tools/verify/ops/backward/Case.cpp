#include "tools/verify/ops/backward/Case.h"

#include <algorithm>

namespace sparsec {

std::string describe(const BackwardCase &c) {
  std::string text = describe(static_cast<const ForwardCase &>(c));
  if (c.dlse == Dlse::Given)
    text += ", dlse";
  switch (c.counting) {
  case Counting::None:
    break;
  case Counting::InDq:
    text += ", counting in dq";
    break;
  case Counting::InDk:
    text += ", counting in dk";
    break;
  case Counting::InDv:
    text += ", counting in dv";
    break;
  }
  return text;
}

/// In f32, whatever the type of `c`.
static void addCounting(ForwardCase c, std::vector<BackwardCase> &cases) {
  c.dtype = DType::F32;
  c.inputs = Inputs::Normal;
  for (Counting counting : {Counting::InDq, Counting::InDk, Counting::InDv})
    cases.push_back({c, Dlse::None, counting});
}

std::vector<BackwardCase> defaultBackwardCases(const Pattern &pattern) {
  std::vector<BackwardCase> cases;
  for (ForwardCase c : defaultForwardCases(pattern)) {
    c.n = std::min<int64_t>(c.n, 300); // the reference takes as long as three of forward's
    c.lse = LseOutput::Wanted;
    if (c.inputs == Inputs::Count)
      c.inputs = Inputs::Normal;
    cases.push_back({c, cases.size() % 2 ? Dlse::Given : Dlse::None});
  }
  int64_t heads = cases.front().heads; // of two entries, where there are so many, share a kv head
  addCounting(
      {.headDim = 16, .valueDim = 32, .n = 130, .nq = 100, .heads = heads, .kvHeads = heads / 2},
      cases);
  return cases;
}

std::vector<BackwardCase> fullBackwardCases(const Pattern &pattern) {
  std::vector<BackwardCase> cases;
  for (ForwardCase c : fullForwardCases(pattern)) {
    c.lse = LseOutput::Wanted;
    if (c.inputs != Inputs::Count)
      cases.push_back({c, c.nq != c.n ? Dlse::Given : Dlse::None});
    else if (c.dtype == DType::F32) {
      c.n = 130;
      c.nq = 100;
      c.kvHeads = c.heads / 2;
      addCounting(c, cases);
    }
  }
  return cases;
}

std::vector<VerifyCase> backwardCases(const Pattern &pattern, const CaseFlags &flags) {
  switch (flags.set) {
  case CaseFlags::Set::Default:
    return withFlags(defaultBackwardCases(pattern), flags);
  case CaseFlags::Set::Full:
    return withFlags(fullBackwardCases(pattern), flags);
  case CaseFlags::Set::One: {
    auto [apart, counting, keyless] = sharpCases(pattern, flags);
    keyless.lse = LseOutput::Wanted;
    std::vector<BackwardCase> cases = {
        {caseOf(flags), Dlse::Given}, {apart, Dlse::None}, {keyless, Dlse::Given}};
    addCounting(counting, cases);
    return withFlags(cases, flags);
  }
  }
  return {};
}

} // namespace sparsec
