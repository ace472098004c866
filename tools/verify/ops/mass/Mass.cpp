#include "tools/verify/ops/mass/Mass.h"

#include "runtime/AttentionMass.h"
#include "tests/reference/AttentionMass.h"
#include "tools/verify/ops/forward/Problem.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace sparsec {

std::string describe(const MassCase &c) {
  return fmt::format("{}, blocks of {} x {}", describe(static_cast<const ForwardCase &>(c)),
                     c.block.q, c.block.k);
}

static std::vector<MassCase> massCasesOf(const Pattern &pattern, const CaseFlags &flags) {
  auto sized = [&](DType dtype, int headDim, int64_t n, int64_t nq, Block block) {
    MassCase c;
    c.dtype = dtype;
    c.headDim = c.valueDim = headDim;
    c.n = n, c.nq = nq;
    c.heads = c.kvHeads = 2 * std::max<int64_t>(1, static_cast<int64_t>(pattern.heads.size()));
    c.surround = Surround::Filled;
    c.block = block;
    return c;
  };
  if (flags.set == CaseFlags::Set::One) {
    int64_t n = flags.n.value_or(200);
    MassCase c =
        sized(flags.dtype, flags.headDim, n, n, flags.block.q ? flags.block : Block{32, 32});
    c.heads = flags.heads, c.kvHeads = flags.kvHeads;
    c.runs = 2;
    MassCase apart = c;
    static_cast<ForwardCase &>(apart) = sharpCases(pattern, flags).apart;
    apart.block = c.block;
    return {c, apart};
  }
  std::vector<MassCase> cases = {sized(DType::BF16, 64, 150, 150, {64, 32}),
                                 sized(DType::F16, 80, 90, 37, {32, 32}),
                                 sized(DType::F32, 32, 70, 70, {16, 16})};
  cases[0].runs = 2;
  cases[1].kvHeads /= 2;
  cases[1].batch = 2;
  cases[1].order = TensorOrder::BatchRowHead;
  cases[1].inputs = Inputs::Peaked;
  if (flags.set != CaseFlags::Set::Full)
    return cases;
  for (DType dtype : {DType::BF16, DType::F16, DType::F32})
    for (int headDim : {16, 64, 128, 256}) {
      cases.push_back(sized(dtype, headDim, 130, 130, {32, 32}));
      MassCase keyless = sized(dtype, headDim, 40, 90, {32, 16}); // rows before the first key
      keyless.gap = 8, keyless.rowGap = 3;
      cases.push_back(keyless);
    }
  return cases;
}

std::vector<VerifyCase> massCases(const Pattern &pattern, const CaseFlags &flags) {
  return withFlags(massCasesOf(pattern, flags), flags);
}

namespace {

std::string tensorName(std::string_view output, size_t entry) {
  return fmt::format("{}_{}", output, entry);
}

TensorSpec sumsSpec(const MassCase &c, int64_t blocks) {
  return {.extent = {1, 1, c.batch}, .columns = blocks, .surround = c.surround};
}

class MassTrial : public Trial {
public:
  MassTrial(const Pattern &pattern, const MassCase &c)
      : c(c), problem{.forward = makeProblem(pattern, c),
                      .lse = {},
                      .blockQ = c.block.q,
                      .blockK = c.block.k} {
    reference::AttentionResult<double> exact = reference::exact(problem.forward);
    problem.lse.assign(exact.lse.begin(), exact.lse.end());
    for (size_t entry = 0; entry < pattern.heads.size(); ++entry) {
      names.push_back(pattern.heads[entry].name);
      Heads own = headsOfEntry(static_cast<int64_t>(entry),
                               static_cast<int64_t>(pattern.heads.size()), c.heads);
      std::vector<int64_t> &list = heads.emplace_back();
      for (int64_t i = 0; i < own.count; ++i)
        list.push_back(own.first + i * own.step);
      live.push_back(static_cast<int64_t>(liveBlocks(problem, list).size()));
    }
  }

  std::vector<std::string> groups() const override { return names; }

  Tensors tensors() const override {
    Tensors tensors;
    tensors.input("q", matrixSpec(c, c.heads, c.nq, c.headDim), problem.forward.q);
    tensors.input("k", matrixSpec(c, c.kvHeads, c.n, c.headDim), problem.forward.k);
    tensors.input("lse", perRowSpec(c), problem.lse);
    for (size_t entry = 0; entry < names.size(); ++entry)
      if (live[entry] > 0)
        for (std::string_view output : {"mass", "squares"})
          tensors.output(tensorName(output, entry), sumsSpec(c, live[entry]));
    return tensors;
  }

  const std::vector<Expected> &expected() override {
    if (!outputs.empty())
      return outputs;
    for (size_t entry = 0; entry < names.size(); ++entry) {
      if (live[entry] == 0)
        continue;
      reference::Mass sums = reference::blockSums(problem, heads[entry]);
      for (auto [output, exact, terms] :
           {std::tuple{"mass", &sums.mass, &sums.massTerms},
            std::tuple{"squares", &sums.squares, &sums.squaresTerms}}) {
        Expected of{.output = tensorName(output, entry),
                    .row = "batch",
                    .rows = c.batch,
                    .columns = live[entry],
                    .exact = std::move(*exact),
                    .plain = {},
                    .terms = std::move(*terms)};
        of.headsOf.resize(names.size());
        of.headsOf[entry] = {0};
        outputs.push_back(std::move(of));
      }
    }
    return outputs;
  }

private:
  MassCase c;
  reference::MassProblem problem;
  std::vector<std::string> names;
  std::vector<std::vector<int64_t>> heads; ///< of each entry
  std::vector<int64_t> live;               ///< blocks of each entry
  std::vector<Expected> outputs;
};

class MassRunner : public Runner {
public:
  explicit MassRunner(const VerifySetting &setting) : setting(setting) {}

  Result<std::vector<std::string>> launch(const VerifyCase &asked,
                                          const Tensors &tensors) override {
    const MassCase &c = *asked.as<MassCase>();
    std::vector<std::string> faults(setting.pattern.heads.size());
    for (size_t entry = 0; entry < faults.size(); ++entry) {
      Result<void> launched = launchEntry(entry, c, tensors);
      if (!launched)
        return launched.error();
      if (Result<void> done = setting.device.synchronize(); !done)
        faults[entry] = done.error().message;
    }
    return faults;
  }

private:
  VerifySetting setting;
  std::map<std::string, AttentionMass> loaded;

  Result<AttentionMass *> kernel(size_t entry, const MassCase &c) {
    std::string key = fmt::format("{}_mass{}_{}_d{}_b{}x{}", setting.pattern.name, entry,
                                  name(c.dtype), c.headDim, c.block.q, c.block.k);
    for (char &letter : key)
      if (!std::isalnum(static_cast<unsigned char>(letter)))
        letter = '_';
    if (auto found = loaded.find(key); found != loaded.end())
      return &found->second;
    AttentionMassRequest request{.entry = key,
                                 .attend = simplify(setting.pattern.heads[entry].attend),
                                 .dtype = c.dtype,
                                 .headDim = c.headDim,
                                 .block = c.block,
                                 .target = setting.target};
    Result<std::vector<Kernel>> kernels = setting.compile(request);
    if (!kernels)
      return kernels.error();
    Result<AttentionMass> mass =
        AttentionMass::load(setting.device, std::move(*kernels), std::move(request));
    if (!mass)
      return mass.error();
    return &loaded.emplace(key, std::move(*mass)).first->second;
  }

  Result<void> launchEntry(size_t entry, const MassCase &c, const Tensors &tensors) {
    Result<AttentionMass *> mass = kernel(entry, c);
    if (!mass)
      return mass.error();
    Heads own = headsOfEntry(static_cast<int64_t>(entry),
                             static_cast<int64_t>(setting.pattern.heads.size()), c.heads);
    Result<AttentionMassPlan> plan = (*mass)->prepare(c.shape(), own);
    if (!plan)
      return plan.error();
    if (plan->blocks().empty())
      return {};
    AttentionMassCall call{
        .q = tensors["q"].tensor(), .k = tensors["k"].tensor(), .lse = tensors["lse"].tensor()};
    call.mass = tensors[tensorName("mass", entry)].tensor();
    call.squares = tensors[tensorName("squares", entry)].tensor();
    return (*mass)->launch(*plan, call);
  }
};

} // namespace

std::unique_ptr<Trial> massTrial(const Pattern &pattern, const VerifyCase &c) {
  return std::make_unique<MassTrial>(pattern, *c.as<MassCase>());
}

std::unique_ptr<Runner> massRunner(const VerifySetting &setting) {
  return std::make_unique<MassRunner>(setting);
}

} // namespace sparsec
