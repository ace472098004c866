#include "tools/verify/ops/matmul/Matmul.h"

#include "tests/reference/Matmul.h"
#include "tools/verify/ops/matmul/SparseMatmul.h"

#include <cmath>
#include <fmt/format.h>

namespace sparsec {

using Pass = MatmulRequest::Pass;
using Use = ProblemMatrix::Use;

std::string describe(const MatmulCase &c) {
  std::string text =
      fmt::format("{}, {} tokens, {} -> {}, {}", name(c.dtype), c.rows, c.in, c.out, name(c.pass));
  for (auto [set, word] : {std::pair{c.bias, " bias"},
                           {c.gelu, " gelu"},
                           {c.save, " save"},
                           {c.residual, " residual"},
                           {c.accumulate, " accumulate"}})
    text += set ? word : "";
  if (c.residual)
    text += fmt::format(" of {}", name(c.stream));
  if (c.pass == Pass::WeightGradient)
    text += fmt::format(" in {}", name(c.weights));
  if (c.tile != MatmulRequest::Tile())
    text += fmt::format(", tiles of {} x {} x {}", c.tile.tokens, c.tile.out, c.tile.in);
  return c.gap || c.rowGap ? text + fmt::format(" + {} x {}", c.rowGap, c.gap) : text;
}

std::vector<NamedSize> sizesOf(const MatmulCase &c) {
  return {{"tokens", c.rows}, {"in", c.in}, {"out", c.out}};
}

//===-- Cases ---------------------------------------------------------------------------------===//

namespace {

constexpr MatmulRequest::Tile kSmallTile = {.tokens = 64, .out = 64, .in = 64};

MatmulCase sized(Pass pass, DType dtype, int64_t tokens, int64_t in, int64_t out) {
  MatmulCase c;
  c.pass = pass, c.dtype = dtype;
  c.rows = tokens, c.in = in, c.out = out;
  c.surround = Surround::Filled;
  c.tile = kSmallTile;
  return c;
}

/// The case with what the number's bits say.
MatmulCase with(MatmulCase c, int bits) {
  bool forward = c.pass == Pass::Forward, weights = c.pass == Pass::WeightGradient;
  c.bias = (bits & 1) && c.pass != Pass::InputGradient;
  c.gelu = (bits & 2) && !weights;
  c.save = (bits & 2) && (bits & 1) && forward;
  c.residual = (bits & 4) && forward;
  c.accumulate = (bits & 4) && !forward;
  c.stream = bits & 8 ? c.dtype : DType::F32;
  c.weights = bits & 2 ? c.dtype : DType::F32;
  if (bits & 1)
    c.gap = 3, c.rowGap = 2;
  return c;
}

constexpr Pass kPasses[] = {Pass::Forward, Pass::InputGradient, Pass::WeightGradient};

} // namespace

std::vector<MatmulCase> matmulCases(const CaseFlags &flags) {
  using enum DType;
  std::vector<MatmulCase> cases;
  if (flags.set == CaseFlags::Set::One) {
    int64_t tokens = flags.rows.value_or(200), columns = flags.columns.value_or(128);
    for (Pass pass : kPasses) {
      cases.push_back(with(sized(pass, flags.dtype, tokens, columns, columns), 7));
      cases.back().gap = cases.back().rowGap = 0;
      cases.back().surround = Surround::None;
      cases.back().tile = {};
      cases.back().runs = 2;
    }
    return cases;
  }
  // Whole tiles, single elements, ragged everywhere; several chunks, ranges of tokens.
  int bits = 0;
  for (DType dtype : {F32, BF16, F16})
    for (Pass pass : kPasses) {
      cases.push_back(with(sized(pass, dtype, 64, 128, 64), bits++ % 16));
      cases.push_back(with(sized(pass, dtype, 37, 45, 83), bits++ % 16));
      cases.back().runs = 2;
    }
  for (Pass pass : kPasses)
    cases.push_back(with(sized(pass, F32, 1, 1, 1), bits++ % 16));
  for (DType dtype : {F32, BF16}) {
    cases.push_back(with(sized(Pass::WeightGradient, dtype, 600, 40, 72), 5));
    cases.back().runs = 2;
  }
  for (auto [pass, each] : {std::pair{Pass::Forward, 14},
                            {Pass::InputGradient, 6}, // chosen tiles
                            {Pass::WeightGradient, 4}}) {
    cases.push_back(with(sized(pass, BF16, 290, 200, 168), each));
    cases.back().tile = {};
  }
  cases.push_back(with(sized(Pass::WeightGradient, F32, 0, 16, 32), 1));
  cases.push_back(with(sized(Pass::WeightGradient, F32, 0, 16, 32), 5));
  if (flags.set != CaseFlags::Set::Full)
    return cases;
  for (DType dtype : {F32, BF16, F16})
    for (Pass pass : kPasses)
      for (int each = 0; each < 16; ++each) {
        int64_t tokens[] = {1, 17, 64, 130, 300}, sides[] = {1, 8, 63, 65, 128, 200, 300};
        cases.push_back(
            with(sized(pass, dtype, tokens[each % 5], sides[each % 7], sides[(3 * each + 1) % 7]),
                 each));
        if (each % 3 == 0)
          cases.back().tile = {};
      }
  for (Pass pass : kPasses) {
    cases.push_back(with(sized(pass, F32, 300, 300, 300), 7));
    cases.back().tile = {};
  }
  return cases;
}

//===-- Numbers -------------------------------------------------------------------------------===//

namespace {

using reference::MatmulSums;

/// What sums to `count` terms may be off by, in units of 2^-24 of their magnitude.
std::vector<double> errors(const std::vector<double> &magnitudes, int64_t count) {
  std::vector<double> terms;
  for (double magnitude : magnitudes)
    terms.push_back(magnitude * (4 + 2 * std::sqrt(static_cast<double>(count))));
  return terms;
}

ProblemResult resultOf(std::string name, const MatmulSums<double> &exact,
                       const MatmulSums<float> &plain, DType type, int64_t count,
                       const std::vector<float> &prior = {}) {
  ProblemResult result{std::move(name), exact.values, plain.values};
  std::vector<double> magnitudes = exact.magnitudes;
  for (size_t i = 0; i < prior.size(); ++i) {
    result.exact[i] += prior[i], result.plain[i] += prior[i];
    magnitudes[i] += std::abs(prior[i]);
  }
  for (float &each : result.plain)
    each = roundTo(type, each);
  result.terms = errors(magnitudes, count);
  return result;
}

struct Numbers {
  reference::MatmulProblem problem;
  std::vector<float> prior, priorBias; ///< of a gradient that goes on
};

Numbers numbersOf(const MatmulCase &c) {
  Random random(c.seed);
  Numbers numbers;
  reference::MatmulProblem &p = numbers.problem;
  p.tokens = c.rows, p.in = c.in, p.out = c.out, p.gelu = c.gelu;
  auto normal = [&](int64_t count, DType type) { return normalValues(random, count, type); };
  if (c.pass != Pass::InputGradient)
    p.x = normal(c.rows * c.in, c.dtype);
  if (c.pass != Pass::WeightGradient) { // sums of about 1
    p.w = normalValues(random, c.out * c.in, c.dtype,
                       1 / std::sqrt(static_cast<float>(c.pass == Pass::Forward ? c.in : c.out)));
  }
  if (c.pass != Pass::Forward)
    p.dy = normal(c.rows * c.out, c.dtype);
  if (c.bias && c.pass == Pass::Forward)
    p.bias = normal(c.out, DType::F32);
  if (c.residual)
    p.residual = normal(c.rows * c.out, c.stream);
  if (c.gelu && c.pass == Pass::InputGradient)
    p.u = normalValues(random, c.rows * c.in, c.dtype, 2);
  if (c.accumulate && c.pass == Pass::InputGradient)
    numbers.prior = normal(c.rows * c.in, c.dtype);
  if (c.accumulate && c.pass == Pass::WeightGradient) {
    numbers.prior = normal(c.out * c.in, c.weights);
    numbers.priorBias = normal(c.out, DType::F32);
  }
  return numbers;
}

MatrixProblem forwardProblem(const MatmulCase &c, const Numbers &numbers) {
  const reference::MatmulProblem &p = numbers.problem;
  DType stream = c.residual ? c.stream : c.dtype;
  MatrixProblem problem;
  problem.matrices = {{"x", Use::Input, c.rows, c.in, c.dtype, p.x},
                      {"w", Use::Input, c.out, c.in, c.dtype, p.w}};
  if (c.bias)
    problem.matrices.push_back({"bias", Use::Input, 1, c.out, DType::F32, p.bias});
  if (c.residual)
    problem.matrices.push_back({"residual", Use::Input, c.rows, c.out, stream, p.residual});
  if (c.save)
    problem.matrices.push_back({"u", Use::Output, c.rows, c.out, c.dtype});
  problem.matrices.push_back({"y", Use::Output, c.rows, c.out, stream});
  problem.solve = [c, p, stream] {
    auto exact = reference::matmul<double>(p);
    auto plain = reference::matmul<float>(p);
    std::vector<ProblemResult> results = {resultOf("y", exact.y, plain.y, stream, c.in)};
    if (c.save)
      results.push_back(resultOf("u", exact.u, plain.u, c.dtype, c.in));
    return results;
  };
  return problem;
}

MatrixProblem inputProblem(const MatmulCase &c, const Numbers &numbers) {
  const reference::MatmulProblem &p = numbers.problem;
  MatrixProblem problem;
  problem.matrices = {
      {"dy", Use::Input, c.rows, c.out, c.dtype, p.dy},
      {"w", Use::Input, c.out, c.in, c.dtype, p.w},
      {"dx", c.accumulate ? Use::Updated : Use::Output, c.rows, c.in, c.dtype, numbers.prior}};
  if (c.gelu)
    problem.matrices.push_back({"u", Use::Input, c.rows, c.in, c.dtype, p.u});
  problem.solve = [c, numbers] {
    auto exact = reference::matmulInputGradient<double>(numbers.problem);
    auto plain = reference::matmulInputGradient<float>(numbers.problem);
    return std::vector{resultOf("dx", exact, plain, c.dtype, c.out, numbers.prior)};
  };
  return problem;
}

MatrixProblem weightProblem(const MatmulCase &c, const Numbers &numbers) {
  const reference::MatmulProblem &p = numbers.problem;
  Use written = c.accumulate ? Use::Updated : Use::Output;
  MatrixProblem problem;
  problem.matrices = {{"dy", Use::Input, c.rows, c.out, c.dtype, p.dy},
                      {"x", Use::Input, c.rows, c.in, c.dtype, p.x},
                      {"dw", written, c.out, c.in, c.weights, numbers.prior}};
  if (c.bias)
    problem.matrices.push_back({"db", written, 1, c.out, DType::F32, numbers.priorBias});
  problem.solve = [c, numbers] {
    const reference::MatmulProblem &p = numbers.problem;
    std::vector<ProblemResult> results = {resultOf("dw", reference::matmulWeightGradient<double>(p),
                                                   reference::matmulWeightGradient<float>(p),
                                                   c.weights, c.rows, numbers.prior)};
    if (c.bias)
      results.push_back(resultOf("db", reference::matmulBiasGradient<double>(p),
                                 reference::matmulBiasGradient<float>(p), DType::F32, c.rows,
                                 numbers.priorBias));
    return results;
  };
  return problem;
}

} // namespace

MatrixProblem matmulProblem(const MatmulCase &c, const std::vector<uint8_t> &attends) {
  Numbers numbers = numbersOf(c);
  for (size_t i = 0; i < attends.size() && !numbers.problem.w.empty(); ++i)
    if (!attends[i])
      numbers.problem.w[i] = 0;
  switch (c.pass) {
  case Pass::Forward:
    return forwardProblem(c, numbers);
  case Pass::InputGradient:
    return inputProblem(c, numbers);
  case Pass::WeightGradient:
    break;
  }
  return weightProblem(c, numbers);
}

MatmulCall callOf(const MatmulCase &c, const Tensors &tensors, bool hasWeights) {
  MatmulCall call{.tokens = c.rows, .in = c.in, .out = c.out, .accumulate = c.accumulate};
  auto set = [&](Tensor &tensor, const char *name, bool there) {
    if (there)
      tensor = tensors[name].tensor();
  };
  bool forward = c.pass == Pass::Forward, input = c.pass == Pass::InputGradient;
  set(call.x, "x", !input);
  set(call.w, "w", hasWeights && (forward || input));
  set(call.bias, "bias", forward && c.bias);
  set(call.residual, "residual", c.residual);
  set(call.u, "u", c.save || (input && c.gelu));
  set(call.y, "y", forward);
  set(call.dy, "dy", !forward);
  set(call.dx, "dx", input);
  set(call.dw, "dw", hasWeights && !forward && !input);
  set(call.db, "db", !forward && c.bias);
  return call;
}

Result<Launched> runMatmul(const VerifySetting &setting, const MatmulCase &c,
                           const Tensors &tensors) {
  MatmulRequest request{.entry = "matmul",
                        .pass = c.pass,
                        .dtype = c.dtype,
                        .stream = c.stream,
                        .weights = c.weights,
                        .bias = c.bias,
                        .gelu = c.gelu,
                        .save = c.save,
                        .residual = c.residual,
                        .tile = c.tile,
                        .target = setting.target};
  Result<std::vector<Kernel>> kernels = setting.compile(request);
  if (!kernels)
    return kernels.error();
  Result<Matmul> matmul = Matmul::load(setting.device, std::move(*kernels), request);
  if (!matmul)
    return matmul.error();
  MatmulCall call = callOf(c, tensors);
  return keep(matmul->launch(call), std::move(*matmul));
}

//===-- Dense or block-sparse -----------------------------------------------------------------===//

std::vector<VerifyCase> layerCases(const Pattern &pattern, const CaseFlags &flags) {
  std::vector<VerifyCase> all;
  auto add = [&](auto cases) {
    for (auto &each : cases) {
      each.seed += flags.seed;
      all.push_back(std::move(each));
    }
  };
  if (pattern.heads.empty())
    add(matmulCases(flags));
  else
    add(sparseMatmulCases(pattern, flags));
  return all;
}

std::unique_ptr<Trial> layerTrial(const Pattern &pattern, const VerifyCase &c) {
  if (const auto *sparse = c.as<SparseMatmulCase>())
    return matrixTrial(*sparse, sparseMatmulProblem(*sparse));
  const auto &dense = *c.as<MatmulCase>();
  return matrixTrial(dense, matmulProblem(dense));
}

std::unique_ptr<Runner> layerRunner(const VerifySetting &setting) {
  class Both : public Runner {
  public:
    explicit Both(const VerifySetting &setting)
        : dense(setting, runMatmul), sparse(setting, runSparseMatmul) {}
    Result<std::vector<std::string>> launch(const VerifyCase &c, const Tensors &tensors) override {
      return c.as<SparseMatmulCase>() ? sparse.launch(c, tensors) : dense.launch(c, tensors);
    }

  private:
    MatrixRunner<MatmulCase> dense;
    MatrixRunner<SparseMatmulCase> sparse;
  };
  return std::make_unique<Both>(setting);
}

} // namespace sparsec
