#include "tools/verify/ops/adam/Adam.h"

#include "runtime/Adam.h"
#include "tests/reference/Adam.h"

#include <cmath>
#include <fmt/format.h>

namespace sparsec {

using Use = ProblemMatrix::Use;
using Gradients = AdamCase::Gradients;

namespace {

constexpr int64_t kRow = AdamRequest::kRow;
constexpr float kLossScale = 8;

constexpr AdamSettings settingsOf(const AdamCase &c) {
  return {.beta1 = 0.9f,
          .beta2 = 0.95f,
          .epsilon = 1e-6f,
          .decay = 0.1f,
          .mostNorm = c.gradients == Gradients::Large ? 1.0f : 1e6f,
          .growth = 2,
          .backoff = 0.25f,
          .leastScale = 1,
          .mostScale = 64,
          .interval = 10};
}

/// Of all rows: whole rows, parts of one, and longer ones that end anywhere.
std::vector<AdamSegment> segmentsOf(const AdamCase &c) {
  std::vector<AdamLength> lengths;
  for (int64_t left = c.rows, i = 0; left > 0; ++i) {
    int64_t rows = std::min<int64_t>(left, 1 + i * i % 11);
    lengths.push_back({.length = rows * kRow - i * 29 % kRow, .decay = i % 3 != 1});
    left -= rows;
  }
  return adamSegments(lengths);
}

reference::AdamProblem inputsOf(const AdamCase &c) {
  Random random(c.seed);
  int64_t count = c.rows * kRow;
  AdamSettings settings = settingsOf(c);
  reference::AdamProblem p{.rate = 0.01f,
                           .beta1 = settings.beta1,
                           .beta2 = settings.beta2,
                           .epsilon = settings.epsilon,
                           .decay = settings.decay,
                           .mostNorm = settings.mostNorm,
                           .lossScale = kLossScale,
                           .growth = settings.growth,
                           .backoff = settings.backoff,
                           .leastScale = settings.leastScale,
                           .mostScale = settings.mostScale,
                           .interval = settings.interval,
                           .step = c.step,
                           .clean = c.grows ? settings.interval - 1 : 3,
                           .overflows = 2};
  p.w = normalValues(random, count, DType::F32);
  p.g = normalValues(random, count, c.dtype, c.gradients == Gradients::Large ? 40 : 4);
  p.m = std::vector<float>(count);
  p.v = std::vector<float>(count);
  if (c.step > 0) {
    p.m = normalValues(random, count, DType::F32, 0.1f);
    p.v = normalValues(random, count, DType::F32, 0.1f);
    for (float &value : p.v)
      value = std::abs(value);
  }
  p.counts = p.decays = std::vector<bool>(count);
  for (const AdamSegment &segment : segmentsOf(c))
    for (int64_t i = segment.offset; i < segment.offset + segment.length; ++i)
      p.counts[i] = true, p.decays[i] = segment.decay;
  for (int64_t i = 1; i < count; ++i)
    if (!p.counts[i]) {
      p.g[i] = 256;
      p.decays[i] = p.decays[i - 1]; // as the rest of its row
    }
  if (c.gradients == Gradients::Infinite)
    p.g[count / 2 / kRow * kRow] = -std::numeric_limits<float>::infinity();
  if (c.gradients == Gradients::NotANumber)
    p.g[(c.rows - 1) * kRow] = std::numeric_limits<float>::quiet_NaN();
  return p;
}

std::vector<float> realsOf(const AdamState::Reals &reals) {
  const float *words = &reals.rate;
  return {words, words + sizeof reals / sizeof *words};
}
std::vector<float> integersOf(const AdamState::Integers &integers) {
  return integerValues({&integers.step, sizeof integers / sizeof integers.step});
}

template <class T>
std::vector<T> realsOf(const reference::AdamProblem &p, const reference::AdamResult<T> &r) {
  return {T(p.rate), r.lossScale, r.norm, r.clip, r.factor, r.correction1, r.correction2, 0};
}

} // namespace

std::string describe(const AdamCase &c) {
  constexpr std::string_view kinds[] = {"", ", clipped", ", an infinity", ", a NaN"};
  return fmt::format("{}{}{}, after {} steps{}", describe(static_cast<const MatrixCase &>(c)),
                     c.copy ? fmt::format(", copy in {}", name(*c.copy)) : "",
                     kinds[size_t(c.gradients)], c.step, c.grows ? ", scale grows" : "");
}

std::vector<AdamCase> adamCases(const CaseFlags &flags) {
  using enum DType;
  auto sized = [](DType gradients, std::optional<DType> copy, int64_t rows, int32_t step) {
    AdamCase c;
    c.dtype = gradients, c.copy = copy, c.rows = rows, c.step = step;
    c.columns = kRow;
    c.surround = Surround::Filled;
    c.runs = 2;
    return c;
  };
  if (flags.set == CaseFlags::Set::One) {
    std::optional<DType> copy;
    if (flags.dtype != F32)
      copy = flags.dtype;
    return {sized(flags.dtype, copy, flags.rows.value_or(200), 0)};
  }
  std::vector<AdamCase> cases = {sized(F32, {}, 1, 0), sized(F32, BF16, 67, 1),
                                 sized(BF16, BF16, 30, 1000), sized(F16, F16, 40, 99999)};
  cases[1].gradients = Gradients::Large;
  cases[0].surround = cases[2].surround = Surround::None;
  cases[2].grows = true;
  for (Gradients each : {Gradients::Infinite, Gradients::NotANumber}) {
    cases.push_back(sized(BF16, F16, 35, 12));
    cases.back().gradients = each;
    cases.back().grows = true;
  }
  if (flags.set == CaseFlags::Set::Full)
    for (DType gradients : {F32, BF16, F16})
      for (int64_t rows : {16, 64, 65, 500, 9000}) {
        cases.push_back(sized(gradients, gradients == F32 ? BF16 : gradients, rows, int32_t(rows)));
        cases.back().gradients = rows % 2 ? Gradients::Large : Gradients::Normal;
      }
  return cases;
}

MatrixProblem adamProblem(const AdamCase &c) {
  reference::AdamProblem p = inputsOf(c);
  AdamState state{.reals = {.rate = p.rate, .lossScale = p.lossScale},
                  .integers = {.step = p.step, .clean = p.clean, .overflows = p.overflows}};
  MatrixProblem problem;
  problem.matrices = {{"weights", Use::Updated, c.rows, kRow, DType::F32, p.w},
                      {"gradients", Use::Input, c.rows, kRow, c.dtype, p.g},
                      {"m", Use::Updated, c.rows, kRow, DType::F32, p.m},
                      {"v", Use::Updated, c.rows, kRow, DType::F32, p.v},
                      {"reals", Use::Updated, 1, 8, DType::F32, realsOf(state.reals)},
                      {"integers", Use::Updated, 1, 4, DType::F32, integersOf(state.integers)}};
  // The copy of weights that a step leaves alone is that of the step before.
  auto rounded = [c](const auto &weights) {
    std::vector<float> copy;
    for (auto each : weights)
      copy.push_back(roundTo(c.copy.value_or(DType::F32), float(each)));
    return copy;
  };
  if (c.copy)
    problem.matrices.push_back({"copy", Use::Updated, c.rows, kRow, *c.copy, rounded(p.w)});
  problem.solve = [c, p, rounded] {
    auto exact = reference::adam<double>(p);
    auto plain = reference::adam<float>(p);
    AdamState::Integers integers{exact.step, exact.clean, exact.overflow, exact.overflows};
    std::vector<float> words = integersOf(integers);
    std::vector<double> reals = realsOf(p, exact);
    std::vector<ProblemResult> results = {{"weights", exact.w, plain.w},
                                          {"m", exact.m, plain.m},
                                          {"v", exact.v, plain.v},
                                          {"reals", reals, realsOf(p, plain)},
                                          {"integers", {words.begin(), words.end()}, words}};
    if (c.copy)
      results.push_back({"copy", exact.w, rounded(plain.w)});
    return results;
  };
  return problem;
}

Result<Launched> runAdam(const VerifySetting &setting, const AdamCase &c, const Tensors &tensors) {
  AdamRequest request{
      .entry = "step", .gradients = c.dtype, .copy = c.copy, .target = setting.target};
  Result<std::vector<Kernel>> kernels = setting.compile(request);
  if (!kernels)
    return kernels.error();
  Result<Adam> adam = Adam::load(setting.device, std::move(*kernels), request, segmentsOf(c));
  if (!adam)
    return adam.error();
  AdamCall call{.weights = tensors["weights"].tensor(),
                .gradients = tensors["gradients"].tensor(),
                .m = tensors["m"].tensor(),
                .v = tensors["v"].tensor(),
                .reals = tensors["reals"].tensor(),
                .integers = tensors["integers"].tensor(),
                .settings = settingsOf(c)};
  if (c.copy)
    call.copy = tensors["copy"].tensor();
  return keep(adam->launch(call), std::move(*adam));
}

} // namespace sparsec
