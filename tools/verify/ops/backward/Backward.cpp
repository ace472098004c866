#include "tools/verify/ops/backward/Backward.h"

#include "codegen/ChooseSchedule.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace sparsec {

BackwardTrial::BackwardTrial(const Pattern &pattern, const BackwardCase &c)
    : c(c), problem(makeProblem(pattern, c)), forward(forwardOf(problem, c)),
      given(rounded(forward, c.dtype)) {
  for (size_t entry = 0; entry < pattern.heads.size(); ++entry) {
    names.push_back(pattern.heads[entry].name);
    Heads own = headsOfEntry(entry, pattern.heads.size(), c.heads);
    std::vector<int64_t> &list = heads.emplace_back(), &shared = kvHeads.emplace_back();
    for (int64_t i = 0; i < own.count; ++i) {
      list.push_back(own.first + i * own.step);
      int64_t kvHead = list.back() / (c.heads / c.kvHeads);
      if (shared.empty() || shared.back() != kvHead)
        shared.push_back(kvHead);
    }
  }
}

const std::vector<Expected> &BackwardTrial::expected() {
  if (!outputs.empty())
    return outputs;
  bool counting = c.counting != Counting::None;
  auto round = rounding(c.dtype);
  reference::Gradients<double> exact = reference::exactBackward(problem, forward);
  reference::Gradients<double> sizes = reference::sizesBackward(problem, forward);
  reference::Gradients<float> plain;
  if (!counting)
    plain = reference::plainBackward(problem, given, round);
  auto add = [&](std::string name, std::vector<double> &exactly, std::vector<float> &plainly,
                 std::vector<double> &terms, int64_t columns) {
    bool ofQueries = name == "dq";
    if (counting) // what the type has of an integer
      for (double &value : exactly)
        value = round(static_cast<float>(value));
    outputs.push_back({.output = std::move(name),
                       .row = ofQueries ? "query" : "key",
                       .heads = ofQueries ? c.heads : c.kvHeads,
                       .rows = ofQueries ? c.nq : c.n,
                       .columns = columns,
                       .exact = std::move(exactly),
                       .plain = std::move(plainly),
                       .terms = std::move(terms),
                       .units = defaultUnits(c.dtype),
                       .headsOf = ofQueries ? heads : kvHeads});
  };
  add("dq", exact.dq, plain.dq, sizes.dq, c.headDim);
  add("dk", exact.dk, plain.dk, sizes.dk, c.headDim);
  add("dv", exact.dv, plain.dv, sizes.dv, c.valueDim);
  return outputs;
}

/// What is wrong with one; empty: nothing.
std::string BackwardTrial::checkElement(const Expected &expected, int64_t at, float found) const {
  std::string should;
  if (c.counting != Counting::None && found != expected.exact[at])
    should = fmt::format("expected a count of exactly {}", expected.exact[at]);
  else if (expected.terms[at] == 0 && found != 0)
    should = "expected exactly 0 where there is nothing to sum";
  else
    return "";
  int64_t row = at / expected.columns, head = row / expected.rows;
  return fmt::format("batch {}, head {}, {} {}, column {}: {}, found {}", head / expected.heads,
                     head % expected.heads, expected.row, row % expected.rows,
                     at % expected.columns, should, found);
}

std::string BackwardTrial::check(std::string_view output, size_t group,
                                 const Tensors &found) const {
  const Expected &expected = *std::ranges::find(outputs, output, &Expected::output);
  std::vector<float> values = found[output].get();
  int64_t ofHead = expected.rows * expected.columns;
  for (int64_t b = 0; b < c.batch; ++b)
    for (int64_t h : expected.headsOf[group])
      for (int64_t i = (b * expected.heads + h) * ofHead, end = i + ofHead; i < end; ++i)
        if (std::string wrong = checkElement(expected, i, values[i]); !wrong.empty())
          return wrong;
  return "";
}

namespace {

using Pass = AttentionBackwardRequest::Pass;

/// All entries by one call, each pass in its own way.
class BackwardRunner : public Runner {
public:
  explicit BackwardRunner(const VerifySetting &setting) : setting(setting) {}
  Result<std::vector<std::string>> launch(const VerifyCase &c, const Tensors &tensors) override;

private:
  Result<BackwardEntry> compile(size_t entry, const BackwardCase &c) const;
  Result<AttentionBackward *> kernels(const BackwardCase &c);

  VerifySetting setting;
  std::map<std::string, AttentionBackward> loaded;
};

Result<BackwardEntry> BackwardRunner::compile(size_t entry, const BackwardCase &c) const {
  const HeadEntry &head = setting.pattern.heads[entry];
  std::string symbol = fmt::format("{}_{}_{}_d{}_v{}_backward{}", setting.pattern.name, head.name,
                                   name(c.dtype), c.headDim, c.valueDim, entry);
  for (char &letter : symbol)
    if (!std::isalnum(static_cast<unsigned char>(letter)))
      letter = '_';
  AttentionBackwardRequest request{.entry = symbol,
                                   .attend = simplify(head.attend),
                                   .dtype = c.dtype,
                                   .headDim = c.headDim,
                                   .valueDim = c.valueDim,
                                   .block = c.block.q ? c.block : head.schedule.block,
                                   .target = setting.target};
  BackwardEntry result;
  for (Pass pass : {Pass::Queries, Pass::Keys}) {
    request.pass = pass;
    request.entry = symbol + (pass == Pass::Keys ? "_dkv" : "");
    auto schedule = chooseSchedule(
        ScheduleRequest(request, {.schedule = head.schedule, .copies = c.heads * c.batch}));
    if (!schedule)
      return schedule.error();
    for (AttentionBackwardRequest &part : schedule->parts) {
      Result<std::vector<Kernel>> compiled = setting.compile(part);
      if (!compiled)
        return compiled.error();
      (pass == Pass::Keys ? result.keys : result.queries)
          .push_back({std::move(part), std::move(*compiled)});
    }
  }
  return result;
}

Result<AttentionBackward *> BackwardRunner::kernels(const BackwardCase &c) {
  std::string key = fmt::format("{} d{} v{} b{}x{} h{}", name(c.dtype), c.headDim, c.valueDim,
                                c.block.q, c.block.k, c.heads);
  if (auto found = loaded.find(key); found != loaded.end())
    return &found->second;
  std::vector<BackwardEntry> entries;
  for (size_t i = 0; i < setting.pattern.heads.size(); ++i) {
    if (headsOfEntry(i, setting.pattern.heads.size(), c.heads).count == 0)
      continue;
    Result<BackwardEntry> entry = compile(i, c);
    if (!entry)
      return entry.error();
    entries.push_back(std::move(*entry));
  }
  Result<AttentionBackward> backward =
      AttentionBackward::load(setting.device, std::move(entries), setting.blocks);
  if (!backward)
    return backward.error();
  return &loaded.emplace(key, std::move(*backward)).first->second;
}

Result<std::vector<std::string>> BackwardRunner::launch(const VerifyCase &asked,
                                                        const Tensors &tensors) {
  const BackwardCase &c = *asked.as<BackwardCase>();
  Result<AttentionBackward *> backward = kernels(c);
  if (!backward)
    return backward.error();
  Result<AttentionBackwardPlan> plan = (*backward)->prepare(c.shape());
  if (!plan)
    return plan.error();
  Result<Buffer> workspace = Buffer::allocate(setting.device, plan->workspaceBytes());
  if (!workspace)
    return workspace.error();
  AttentionBackwardCall call = callOf(c, tensors);
  call.workspace = {.address = workspace->address(), .bytes = workspace->bytes()};
  if (Result<void> done = (*backward)->launch(*plan, call); !done)
    return done.error();
  std::string fault; // of some launch: whose, the device does not say
  if (Result<void> done = setting.device.synchronize(); !done)
    fault = done.error().message;
  return std::vector<std::string>(setting.pattern.heads.size(), fault);
}

} // namespace

std::unique_ptr<Trial> backwardTrial(const Pattern &pattern, const VerifyCase &c) {
  return std::make_unique<BackwardTrial>(pattern, *c.as<BackwardCase>());
}

std::unique_ptr<Runner> backwardRunner(const VerifySetting &setting) {
  return std::make_unique<BackwardRunner>(setting);
}

} // namespace sparsec
