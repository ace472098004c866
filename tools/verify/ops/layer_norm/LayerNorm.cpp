#include "tools/verify/ops/layer_norm/LayerNorm.h"

#include "runtime/LayerNorm.h"
#include "tests/reference/LayerNorm.h"

#include <cmath>
#include <fmt/format.h>

namespace sparsec {

using Use = ProblemMatrix::Use;

static std::string_view name(RowValues values) {
  constexpr std::string_view names[] = {"", ", offset", ", scaled", ", equal"};
  return names[static_cast<size_t>(values)];
}

std::string describe(const LayerNormCase &c) {
  return fmt::format("{} from {}{}{}", describe(static_cast<const MatrixCase &>(c)), name(c.stream),
                     name(c.values), c.saves ? "" : ", nothing saved");
}
std::string describe(const LayerNormBackwardCase &c) {
  return fmt::format("{}{}{}", describe(static_cast<const LayerNormCase &>(c)),
                     c.residual ? ", residual" : "", c.accumulate ? ", accumulated" : "");
}

//===-- Cases ---------------------------------------------------------------------------------===//

namespace {

LayerNormCase caseOf(const CaseFlags &flags) {
  LayerNormCase c;
  c.dtype = flags.dtype;
  c.rows = flags.rows.value_or(200), c.columns = flags.columns.value_or(768);
  c.runs = 2;
  return c;
}

LayerNormCase sized(DType dtype, DType stream, int64_t rows, int64_t columns) {
  LayerNormCase c;
  c.dtype = dtype, c.stream = stream;
  c.rows = rows, c.columns = columns;
  c.surround = Surround::Filled;
  return c;
}

std::vector<LayerNormCase> sizesOf(const CaseFlags &flags) {
  using enum DType;
  std::vector<LayerNormCase> cases = {sized(F32, F32, 16, 64),   sized(F32, F32, 1, 1),
                                      sized(BF16, F32, 37, 200), sized(BF16, BF16, 5, 129),
                                      sized(F16, F16, 20, 1000), sized(F16, F32, 3, 16)};
  cases[0].runs = 2;
  cases[2].gap = 8, cases[2].rowGap = 3, cases[2].runs = 2;
  cases[2].values = RowValues::Offset;
  cases[3].gap = 3, cases[3].saves = false;
  LayerNormCase equal = sized(F32, F32, 33, 90), scaled = sized(F32, F32, 40, 48);
  equal.values = RowValues::Equal, scaled.values = RowValues::Scaled;
  cases.insert(cases.end(), {equal, scaled});
  cases.push_back(sized(BF16, F32, 4130, 40)); // more parts of sums than are added in a step
  if (flags.set != CaseFlags::Set::Full)
    return cases;
  for (DType dtype : {F32, BF16, F16})
    for (DType stream : {F32, dtype})
      for (int64_t columns : {1, 15, 16, 17, 127, 128, 512, 513, 768, 1024, 1600, 4097}) {
        cases.push_back(sized(dtype, stream, 19, columns));
        cases.back().values = columns % 2 ? RowValues::Offset : RowValues::Normal;
      }
  cases.push_back(sized(F32, F32, 3, 65536));
  cases.push_back(farApart(sized(F32, F32, 3, 90)));
  return cases;
}

} // namespace

std::vector<LayerNormCase> layerNormCases(const CaseFlags &flags) {
  return flags.set == CaseFlags::Set::One ? std::vector{caseOf(flags)} : sizesOf(flags);
}

std::vector<LayerNormBackwardCase> layerNormBackwardCases(const CaseFlags &flags) {
  std::vector<LayerNormBackwardCase> cases;
  for (LayerNormCase &each : layerNormCases(flags)) {
    LayerNormBackwardCase c{std::move(each)};
    c.saves = true;
    c.residual = cases.size() % 3 != 1;
    c.accumulate = cases.size() % 2 != 0;
    // g and u are what is left of numbers that cancel; of equal values it is their rounding alone.
    if (c.values == RowValues::Equal)
      c.values = RowValues::Normal;
    cases.push_back(c);
  }
  return cases;
}

//===-- Numbers -------------------------------------------------------------------------------===//

static reference::LayerNormProblem inputsOf(const LayerNormCase &c, Random &random) {
  reference::LayerNormProblem p{.rows = c.rows, .columns = c.columns};
  for (int64_t r = 0; r < c.rows; ++r) {
    float mean = c.values == RowValues::Offset ? 300 : 0;
    float scale = c.values == RowValues::Scaled ? std::exp2(float(r * 80 / c.rows - 40)) : 1;
    std::vector<float> row = normalValues(random, c.columns, c.stream, scale, mean);
    if (c.values == RowValues::Equal)
      std::ranges::fill(row, row[0]);
    p.x.insert(p.x.end(), row.begin(), row.end());
  }
  p.gain = normalValues(random, c.columns, DType::F32, 0.5f, 1);
  p.bias = normalValues(random, c.columns, DType::F32);
  return p;
}

/// A plain reading in a type.
static std::vector<float> rounded(const std::vector<float> &values, DType type) {
  std::vector<float> result;
  for (float value : values)
    result.push_back(roundTo(type, value));
  return result;
}

/// Of what sums up to each row's mean, as many times as steps round it.
static std::vector<double> magnitudes(const reference::LayerNormProblem &p) {
  std::vector<double> terms(p.rows);
  for (int64_t r = 0; r < p.rows; ++r)
    for (int64_t c = 0; c < p.columns; ++c)
      terms[r] += 8 * std::abs(p.x[r * p.columns + c]) / double(p.columns);
  return terms;
}

MatrixProblem layerNormProblem(const LayerNormCase &c) {
  Random random(c.seed);
  reference::LayerNormProblem p = inputsOf(c, random);
  Use saved = c.saves ? Use::Output : Use::Unasked;
  MatrixProblem problem;
  problem.matrices = {{"x", Use::Input, c.rows, c.columns, c.stream, p.x},
                      {"gain", Use::Input, 1, c.columns, DType::F32, p.gain},
                      {"bias", Use::Input, 1, c.columns, DType::F32, p.bias},
                      {"y", Use::Output, c.rows, c.columns, c.dtype},
                      {"mean", saved, 1, c.rows, DType::F32},
                      {"rstd", saved, 1, c.rows, DType::F32}};
  problem.solve = [c, p] {
    auto exact = reference::layerNorm<double>(p);
    auto plain = reference::layerNorm<float>(p);
    std::vector<ProblemResult> results = {{"y", exact.y, rounded(plain.y, c.dtype)}};
    if (c.saves) {
      results.push_back({"mean", exact.mean, plain.mean, magnitudes(p)});
      results.push_back({"rstd", exact.rstd, plain.rstd});
    }
    return results;
  };
  return problem;
}

/// Magnitude of what sums up to dgain and dbias.
static std::pair<std::vector<double>, std::vector<double>>
termsOf(const reference::LayerNormProblem &p, const reference::LayerNormResult<double> &exact) {
  std::vector<double> gain(p.columns), bias(p.columns);
  for (int64_t r = 0; r < p.rows; ++r)
    for (int64_t c = 0; c < p.columns; ++c) {
      int64_t i = r * p.columns + c;
      gain[c] += std::abs(p.dy[i] * (p.x[i] - exact.mean[r]) * exact.rstd[r]);
      bias[c] += std::abs(p.dy[i]);
    }
  return {gain, bias};
}

MatrixProblem layerNormBackwardProblem(const LayerNormBackwardCase &c) {
  Random random(c.seed);
  reference::LayerNormProblem p = inputsOf(c, random);
  p.dy = normalValues(random, c.rows * c.columns, c.dtype);
  if (c.residual)
    p.dresidual = normalValues(random, c.rows * c.columns, c.stream);
  if (c.accumulate) {
    p.priorGain = normalValues(random, c.columns, DType::F32, 3);
    p.priorBias = normalValues(random, c.columns, DType::F32, 3);
  }
  auto forward = reference::layerNorm<double>(p);
  auto saved = [](const std::vector<double> &values) {
    return std::vector<float>(values.begin(), values.end());
  };
  Use sums = c.accumulate ? Use::Updated : Use::Output;
  MatrixProblem problem;
  problem.matrices = {{"x", Use::Input, c.rows, c.columns, c.stream, p.x},
                      {"gain", Use::Input, 1, c.columns, DType::F32, p.gain},
                      {"mean", Use::Input, 1, c.rows, DType::F32, saved(forward.mean)},
                      {"rstd", Use::Input, 1, c.rows, DType::F32, saved(forward.rstd)},
                      {"dy", Use::Input, c.rows, c.columns, c.dtype, p.dy},
                      {"dx", Use::Output, c.rows, c.columns, c.stream},
                      {"dgain", sums, 1, c.columns, DType::F32, p.priorGain},
                      {"dbias", sums, 1, c.columns, DType::F32, p.priorBias}};
  if (c.residual)
    problem.matrices.push_back({"dresidual", Use::Input, c.rows, c.columns, c.stream, p.dresidual});
  problem.solve = [c, p] {
    auto exact = reference::layerNormBackward<double>(p);
    auto plain = reference::layerNormBackward<float>(p);
    auto [gain, bias] = termsOf(p, exact);
    return std::vector<ProblemResult>{{"dx", exact.dx, rounded(plain.dx, c.stream)},
                                      {"dgain", exact.dgain, plain.dgain, gain},
                                      {"dbias", exact.dbias, plain.dbias, bias}};
  };
  return problem;
}

//===-- Runs ----------------------------------------------------------------------------------===//

Result<Launched> runLayerNorm(const VerifySetting &setting, const LayerNormCase &c,
                              const Tensors &tensors) {
  LayerNormRequest request{.entry = "norm",
                           .columns = c.columns,
                           .stream = c.stream,
                           .dtype = c.dtype,
                           .target = setting.target};
  Result<std::vector<Kernel>> kernels = setting.compile(request);
  if (!kernels)
    return kernels.error();
  Result<LayerNorm> norm = LayerNorm::load(setting.device, std::move(*kernels), request);
  if (!norm)
    return norm.error();
  LayerNormCall call{.rows = c.rows,
                     .x = tensors["x"].tensor(),
                     .gain = tensors["gain"].tensor(),
                     .bias = tensors["bias"].tensor(),
                     .y = tensors["y"].tensor()};
  if (c.saves)
    call.mean = tensors["mean"].tensor(), call.rstd = tensors["rstd"].tensor();
  return keep(norm->launch(call), std::move(*norm));
}

Result<Launched> runLayerNormBackward(const VerifySetting &setting, const LayerNormBackwardCase &c,
                                      const Tensors &tensors) {
  LayerNormBackwardRequest request{{.entry = "norm",
                                    .columns = c.columns,
                                    .stream = c.stream,
                                    .dtype = c.dtype,
                                    .target = setting.target}};
  Result<std::vector<Kernel>> kernels = setting.compile(request);
  if (!kernels)
    return kernels.error();
  Result<LayerNormBackward> norm =
      LayerNormBackward::load(setting.device, std::move(*kernels), request);
  if (!norm)
    return norm.error();
  LayerNormBackwardCall call{.rows = c.rows,
                             .x = tensors["x"].tensor(),
                             .gain = tensors["gain"].tensor(),
                             .mean = tensors["mean"].tensor(),
                             .rstd = tensors["rstd"].tensor(),
                             .dy = tensors["dy"].tensor(),
                             .dx = tensors["dx"].tensor(),
                             .dgain = tensors["dgain"].tensor(),
                             .dbias = tensors["dbias"].tensor(),
                             .accumulate = c.accumulate};
  if (c.residual)
    call.dresidual = tensors["dresidual"].tensor();
  return keep(norm->launch(call), std::move(*norm));
}

} // namespace sparsec
