#include "tools/verify/ops/forward/Forward.h"

#include "codegen/ChooseSchedule.h"

#include <fmt/format.h>

#include <cctype>
#include <cmath>

namespace sparsec {

ForwardTrial::ForwardTrial(const Pattern &pattern, const ForwardCase &c)
    : c(c), problem(makeProblem(pattern, c)) {
  for (size_t entry = 0; entry < pattern.heads.size(); ++entry) {
    names.push_back(pattern.heads[entry].name);
    Heads own = headsOfEntry(entry, pattern.heads.size(), c.heads);
    std::vector<int64_t> &list = heads.emplace_back();
    for (int64_t i = 0; i < own.count; ++i)
      list.push_back(own.first + i * own.step);
  }
}

const std::vector<Expected> &ForwardTrial::expected() {
  if (!outputs.empty())
    return outputs;
  reference::AttentionResult<double> exact = reference::exact(problem);
  reference::AttentionResult<float> plain = reference::plain(problem, rounding(c.dtype));
  lse = exact.lse;
  Expected out{.output = "out",
               .row = "query",
               .heads = c.heads,
               .rows = c.nq,
               .columns = c.valueDim,
               .exact = std::move(exact.out),
               .plain = std::move(plain.out),
               .units = defaultUnits(c.dtype),
               .headsOf = heads};
  outputs.push_back(std::move(out));
  if (c.lse == LseOutput::Wanted)
    outputs.push_back({.output = "lse",
                       .row = "query",
                       .heads = c.heads,
                       .rows = c.nq,
                       .exact = std::move(exact.lse),
                       .plain = std::move(plain.lse),
                       .terms = std::move(exact.lseTerms),
                       .units = defaultUnits(c.dtype),
                       .headsOf = heads});
  return outputs;
}

/// Visits the rows (dense [batch, head, nq] index, head, query) of an entry's heads.
template <class F>
void ForwardTrial::forEachRow(size_t group, F visit) const {
  for (int64_t b = 0; b < c.batch; ++b)
    for (int64_t h : heads[group])
      for (int64_t i = 0; i < c.nq; ++i)
        visit((b * c.heads + h) * c.nq + i, h, i);
}

std::string ForwardTrial::nameRow(int64_t at) const {
  return fmt::format("batch {}, head {}, query {}", at / c.nq / c.heads, at / c.nq % c.heads,
                     at % c.nq);
}

std::string ForwardTrial::checkKeyless(size_t group, const std::vector<float> &out) const {
  std::string wrong;
  forEachRow(group, [&](int64_t at, int64_t, int64_t) {
    if (!std::isinf(lse[at]))
      return;
    for (int64_t i = at * c.valueDim; i < (at + 1) * c.valueDim; ++i)
      if (out[i] != 0 && wrong.empty())
        wrong = fmt::format("{}: expected exactly 0 in a row without keys, found {}", nameRow(at),
                            out[i]);
  });
  return wrong;
}

/// With Inputs::Count: out * exp(lse) is the number of keys = column (mod value dim) that were
/// used.
std::string ForwardTrial::checkCounts(size_t group, const std::vector<float> &out,
                                      const std::vector<float> &found) const {
  std::string wrong;
  std::map<int64_t, std::vector<uint8_t>> masks;
  forEachRow(group, [&](int64_t at, int64_t h, int64_t i) {
    auto [mask, fresh] = masks.try_emplace(h);
    if (fresh)
      mask->second = reference::attended(problem, h);
    for (int64_t column = 0; column < c.valueDim && wrong.empty(); ++column) {
      double expected = 0;
      for (int64_t k = column; k < c.n; k += c.valueDim)
        expected += mask->second[i * c.n + k];
      double used = out[at * c.valueDim + column] * std::exp(double(found[at]));
      // 1/count and P are rounded to the type: far less than half a key.
      if (!(std::abs(used - expected) <= 0.02 * expected))
        wrong = fmt::format("{}: key {} was used {:.4g} times, expected {}", nameRow(at), column,
                            used, expected);
    }
  });
  return wrong;
}

std::string ForwardTrial::check(std::string_view output, size_t group, const Tensors &found) const {
  if (output != "out")
    return "";
  std::vector<float> out = found["out"].get();
  std::string wrong = checkKeyless(group, out);
  if (wrong.empty() && c.inputs == Inputs::Count && c.lse == LseOutput::Wanted)
    wrong = checkCounts(group, out, found["lse"].get());
  return wrong;
}

namespace {

/// Each entry's parts as its schedule says.
class ForwardRunner : public Runner {
public:
  explicit ForwardRunner(const VerifySetting &setting) : setting(setting) {}
  Result<std::vector<std::string>> launch(const VerifyCase &c, const Tensors &tensors) override;

private:
  Result<Attention *> kernel(size_t entry, const ForwardCase &c);

  VerifySetting setting;
  std::map<std::string, Attention> loaded;
};

Result<Attention *> ForwardRunner::kernel(size_t entry, const ForwardCase &c) {
  const HeadEntry &head = setting.pattern.heads[entry];
  Block block = c.block.q ? c.block : head.schedule.block;
  std::string key = fmt::format("{}_{}_d{}_v{}_b{}x{}", setting.pattern.name, head.name, c.headDim,
                                c.valueDim, block.q, block.k);
  for (char &letter : key)
    if (!std::isalnum(static_cast<unsigned char>(letter)))
      letter = '_';
  key += fmt::format("_{}_{}", name(c.dtype), entry);
  if (auto found = loaded.find(key); found != loaded.end())
    return &found->second;
  AttentionRequest whole{.entry = key,
                         .attend = head.attend,
                         .dtype = c.dtype,
                         .headDim = c.headDim,
                         .valueDim = c.valueDim,
                         .block = block,
                         .target = setting.target};
  auto schedule = chooseSchedule(
      ScheduleRequest(whole, {.schedule = head.schedule, .copies = c.heads * c.batch}));
  if (!schedule)
    return schedule.error();
  std::vector<AttentionPart> parts;
  for (const AttentionRequest &request : schedule->parts) {
    Result<Kernel> compiled = single(setting.compile(request));
    if (!compiled)
      return compiled.error();
    parts.push_back({std::move(*compiled), request});
  }
  Result<Attention> attention = Attention::load(setting.device, std::move(parts), setting.blocks);
  if (!attention)
    return attention.error();
  return &loaded.emplace(key, std::move(*attention)).first->second;
}

Result<std::vector<std::string>> ForwardRunner::launch(const VerifyCase &asked,
                                                       const Tensors &tensors) {
  const ForwardCase &c = *asked.as<ForwardCase>();
  size_t entries = setting.pattern.heads.size();
  std::vector<std::string> faults(entries);
  for (size_t entry = 0; entry < entries; ++entry) {
    Result<Attention *> attention = kernel(entry, c);
    if (!attention)
      return attention.error();
    Heads heads = headsOfEntry(static_cast<int64_t>(entry), static_cast<int64_t>(entries), c.heads);
    Result<std::string> fault = sparsec::launch(setting.device, **attention, c, heads, tensors);
    if (!fault)
      return fault.error();
    faults[entry] = std::move(*fault);
  }
  return faults;
}

} // namespace

std::unique_ptr<Trial> forwardTrial(const Pattern &pattern, const VerifyCase &c) {
  return std::make_unique<ForwardTrial>(pattern, *c.as<ForwardCase>());
}

std::unique_ptr<Runner> forwardRunner(const VerifySetting &setting) {
  return std::make_unique<ForwardRunner>(setting);
}

} // namespace sparsec
