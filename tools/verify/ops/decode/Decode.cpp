#include "tools/verify/ops/decode/Decode.h"

#include "codegen/ChooseSchedule.h"
#include "runtime/AttentionDecode.h"
#include "tools/verify/MatrixTrial.h"
#include "tools/verify/ops/forward/Problem.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <limits>

namespace sparsec {

using reference::AttentionProblem;
using reference::AttentionResult;

std::string describe(const DecodeCase &c) {
  return fmt::format("{}, lengths {}", describe(static_cast<const ForwardCase &>(c)),
                     fmt::join(c.lengths, " "));
}

static DecodeCase sized(const Pattern &pattern, DType dtype, int headDim, int64_t nq,
                        std::vector<int64_t> lengths) {
  DecodeCase c;
  c.dtype = dtype;
  c.headDim = c.valueDim = headDim;
  c.nq = nq;
  c.n = std::ranges::max(lengths);
  c.batch = static_cast<int64_t>(lengths.size());
  c.lengths = std::move(lengths);
  c.heads = c.kvHeads = 2 * std::max<int64_t>(1, static_cast<int64_t>(pattern.heads.size()));
  c.surround = Surround::Filled;
  return c;
}

static std::vector<DecodeCase> casesOf(const Pattern &pattern, const CaseFlags &flags) {
  using enum DType;
  if (flags.set == CaseFlags::Set::One) {
    int64_t n = flags.n.value_or(200);
    DecodeCase c = sized(pattern, flags.dtype, flags.headDim, 1, {n, (n + 1) / 2, 1});
    c.valueDim = flags.valueDim;
    c.heads = flags.heads, c.kvHeads = flags.kvHeads;
    c.runs = 2;
    auto [apart, counting, keyless] = sharpCases(pattern, flags);
    int64_t few = std::min<int64_t>(n, 3);
    DecodeCase grouped{apart, {n, std::max(few, (n + 1) / 2)}};
    grouped.nq = few;
    grouped.kvHeads = counting.kvHeads, grouped.valueDim = counting.valueDim;
    DecodeCase unasked{keyless, {few}};
    unasked.n = few, unasked.nq = 1, unasked.q0.reset();
    return {c, grouped, unasked};
  }
  std::vector<DecodeCase> cases = {sized(pattern, BF16, 64, 1, {200, 131, 1}),
                                   sized(pattern, F16, 80, 3, {70, 3}),
                                   sized(pattern, F32, 32, 16, {150, 65, 16})};
  cases[0].runs = 2;
  cases[0].order = TensorOrder::BatchRowHead;
  cases[1].valueDim = 48;
  cases[1].kvHeads = 1; // the heads of an entry in one item
  cases[1].gap = 16, cases[1].rowGap = 3;
  cases[1].lse = LseOutput::NotWanted;
  cases[2].inputs = Inputs::Peaked;
  cases[2].block.k = 16; // long rows have slices
  if (flags.set != CaseFlags::Set::Full)
    return cases;
  for (DType dtype : {BF16, F16, F32})
    for (int headDim : {16, 64, 128, 256}) {
      cases.push_back(sized(pattern, dtype, headDim, 1, {300, 64, 65, 128}));
      DecodeCase grouped = sized(pattern, dtype, headDim, 5, {129, 77});
      grouped.kvHeads = grouped.heads / 2;
      grouped.valueDim = headDim == 128 ? 16 : 80;
      grouped.inputs = Inputs::Peaked;
      grouped.lse = dtype == F16 ? LseOutput::NotWanted : LseOutput::Wanted;
      cases.push_back(grouped);
      DecodeCase counting = sized(pattern, dtype, headDim, 2, {100, 99});
      counting.inputs = Inputs::Count;
      cases.push_back(counting);
    }
  return cases;
}

bool isDecodable(const Pattern &pattern) {
  constexpr int64_t kLength = 300; // that of the longest case
  auto entries = static_cast<int64_t>(pattern.heads.size());
  for (int64_t i = 0; i < entries; ++i)
    if (!checkDecodable(simplify(pattern.heads[static_cast<size_t>(i)].attend), kLength,
                        headsOfEntry(i, entries, 2 * entries)))
      return false;
  return true;
}

std::vector<VerifyCase> decodeCases(const Pattern &pattern, const CaseFlags &flags) {
  std::vector<VerifyCase> cases;
  for (DecodeCase &each : casesOf(pattern, flags)) {
    each.seed += flags.seed;
    if (flags.n && flags.set != CaseFlags::Set::One)
      continue; // a pattern of one length is decoded at that length alone
    cases.push_back(std::move(each));
  }
  return cases;
}

namespace {

/// Rows [first, first + count) of each of `heads` heads, of [heads, rows, columns].
std::vector<float> rowsOf(const std::vector<float> &values, int64_t heads, int64_t rows,
                          int64_t columns, int64_t batch, int64_t first, int64_t count) {
  std::vector<float> taken;
  for (int64_t h = 0; h < heads; ++h) {
    auto from = values.begin() + ((batch * heads + h) * rows + first) * columns;
    taken.insert(taken.end(), from, from + count * columns);
  }
  return taken;
}

class DecodeTrial : public Trial {
public:
  DecodeTrial(const Pattern &pattern, const DecodeCase &c)
      : c(c), problem(makeProblem(pattern, c)) {
    for (size_t entry = 0; entry < pattern.heads.size(); ++entry) {
      names.push_back(pattern.heads[entry].name);
      Heads own = headsOfEntry(static_cast<int64_t>(entry),
                               static_cast<int64_t>(pattern.heads.size()), c.heads);
      std::vector<int64_t> &list = heads.emplace_back();
      for (int64_t i = 0; i < own.count; ++i)
        list.push_back(own.first + i * own.step);
    }
  }

  std::vector<std::string> groups() const override { return names; }

  Tensors tensors() const override {
    std::vector<float> k = problem.k, v = problem.v;
    for (int64_t b = 0; b < c.batch; ++b)
      for (auto [values, columns] : {std::pair{&k, c.headDim}, std::pair{&v, c.valueDim}})
        for (int64_t h = 0; h < c.kvHeads; ++h) {
          auto cache = values->begin() + (b * c.kvHeads + h) * c.n * columns;
          std::fill(cache + c.lengths[b] * columns, cache + c.n * columns,
                    std::numeric_limits<float>::quiet_NaN());
        }
    Tensors tensors;
    tensors.input("q", matrixSpec(c, c.heads, c.nq, c.headDim), problem.q);
    tensors.input("k", matrixSpec(c, c.kvHeads, c.n, c.headDim), k);
    tensors.input("v", matrixSpec(c, c.kvHeads, c.n, c.valueDim), v);
    tensors.output("out", matrixSpec(c, c.heads, c.nq, c.valueDim));
    if (c.lse == LseOutput::Wanted)
      tensors.output("lse", perRowSpec(c));
    else
      tensors.unasked("lse", perRowSpec(c));
    std::vector<int32_t> lengths(c.lengths.begin(), c.lengths.end());
    tensors.input("lengths", {.extent = {1, 1, 1}, .columns = c.batch}, integerValues(lengths));
    return tensors;
  }

  /// What forward gives of each sequence at its own length.
  const std::vector<Expected> &expected() override {
    if (!outputs.empty())
      return outputs;
    Expected out = empty("out", c.valueDim), lse = empty("lse", 1);
    for (int64_t b = 0; b < c.batch; ++b) {
      AttentionProblem one = sequence(b);
      AttentionResult<double> exact = reference::exact(one);
      AttentionResult<float> plain = reference::plain(one, rounding(c.dtype));
      auto append = [](auto &to, const auto &from) {
        to.insert(to.end(), from.begin(), from.end());
      };
      append(out.exact, exact.out), append(out.plain, plain.out);
      append(lse.exact, exact.lse), append(lse.plain, plain.lse);
      append(lse.terms, exact.lseTerms);
    }
    outputs.push_back(std::move(out));
    if (c.lse == LseOutput::Wanted)
      outputs.push_back(std::move(lse));
    return outputs;
  }

private:
  DecodeCase c;
  AttentionProblem problem; ///< of caches that are full
  std::vector<std::string> names;
  std::vector<std::vector<int64_t>> heads; ///< of each entry
  std::vector<Expected> outputs;

  Expected empty(std::string name, int64_t columns) const {
    return {.output = std::move(name),
            .row = "query",
            .heads = c.heads,
            .rows = c.nq,
            .columns = columns,
            .units = defaultUnits(c.dtype),
            .headsOf = heads};
  }

  AttentionProblem sequence(int64_t b) const {
    int64_t length = c.lengths[b];
    AttentionProblem one = problem;
    one.batch = 1;
    one.n = length, one.q0 = length - c.nq;
    one.q = rowsOf(problem.q, c.heads, c.nq, c.headDim, b, 0, c.nq);
    one.k = rowsOf(problem.k, c.kvHeads, c.n, c.headDim, b, 0, length);
    one.v = rowsOf(problem.v, c.kvHeads, c.n, c.valueDim, b, 0, length);
    return one;
  }
};

class DecodeRunner : public Runner {
public:
  explicit DecodeRunner(const VerifySetting &setting) : setting(setting) {}

  Result<std::vector<std::string>> launch(const VerifyCase &asked,
                                          const Tensors &tensors) override {
    const DecodeCase &c = *asked.as<DecodeCase>();
    size_t entries = setting.pattern.heads.size();
    std::vector<std::string> faults(entries);
    for (size_t entry = 0; entry < entries; ++entry) {
      Result<AttentionDecode *> decode = kernels(entry, c);
      if (!decode)
        return decode.error();
      Heads heads =
          headsOfEntry(static_cast<int64_t>(entry), static_cast<int64_t>(entries), c.heads);
      Result<AttentionDecodePlan> plan = (*decode)->prepare(shapeOf(c), heads);
      if (!plan)
        return plan.error();
      Result<Buffer> sums = Buffer::allocate(setting.device, plan->workspaceBytes());
      if (!sums)
        return sums.error();
      AttentionDecodeCall call = callOf(c, tensors);
      call.workspace = {.address = sums->address(), .bytes = sums->bytes()};
      if (Result<void> done = (*decode)->launch(*plan, call); !done)
        return done.error();
      if (Result<void> done = setting.device.synchronize(); !done)
        faults[entry] = done.error().message;
    }
    return faults;
  }

private:
  VerifySetting setting;
  std::map<std::string, AttentionDecode> loaded;

  static DecodeShape shapeOf(const DecodeCase &c) {
    return {.batch = c.batch, .heads = c.heads, .kvHeads = c.kvHeads, .nq = c.nq, .most = c.n};
  }

  static AttentionDecodeCall callOf(const DecodeCase &c, const Tensors &tensors) {
    AttentionDecodeCall call{.q = tensors["q"].tensor(),
                             .k = tensors["k"].tensor(),
                             .v = tensors["v"].tensor(),
                             .out = tensors["out"].tensor(),
                             .lengths = tensors["lengths"].tensor()};
    if (c.lse == LseOutput::Wanted)
      call.lse = tensors["lse"].tensor();
    return call;
  }

  Result<AttentionDecode *> kernels(size_t entry, const DecodeCase &c) {
    const HeadEntry &head = setting.pattern.heads[entry];
    std::string key = fmt::format("{}_{}_decode{}_{}_d{}_v{}", setting.pattern.name, head.name,
                                  entry, name(c.dtype), c.headDim, c.valueDim);
    for (char &letter : key)
      if (!std::isalnum(static_cast<unsigned char>(letter)))
        letter = '_';
    if (auto found = loaded.find(key); found != loaded.end())
      return &found->second;
    AttentionDecodeRequest request{.entry = key,
                                   .attend = simplify(head.attend),
                                   .dtype = c.dtype,
                                   .headDim = c.headDim,
                                   .valueDim = c.valueDim,
                                   .target = setting.target};
    request.block.k = c.block.k ? c.block.k : head.schedule.block.k;
    auto schedule = chooseSchedule(
        ScheduleRequest(request, {.schedule = head.schedule, .copies = c.heads * c.batch}));
    if (!schedule)
      return schedule.error();
    std::vector<DecodePart> parts;
    for (AttentionDecodeRequest &part : schedule->parts) {
      Result<std::vector<Kernel>> compiled = setting.compile(part);
      if (!compiled)
        return compiled.error();
      parts.push_back({std::move(part), std::move(*compiled)});
    }
    Result<AttentionDecode> decode =
        AttentionDecode::load(setting.device, std::move(parts), setting.blocks);
    if (!decode)
      return decode.error();
    return &loaded.emplace(key, std::move(*decode)).first->second;
  }
};

} // namespace

std::unique_ptr<Trial> decodeTrial(const Pattern &pattern, const VerifyCase &c) {
  return std::make_unique<DecodeTrial>(pattern, *c.as<DecodeCase>());
}

std::unique_ptr<Runner> decodeRunner(const VerifySetting &setting) {
  return std::make_unique<DecodeRunner>(setting);
}

} // namespace sparsec
