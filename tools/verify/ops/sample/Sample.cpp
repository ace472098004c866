#include "tools/verify/ops/sample/Sample.h"

#include "runtime/Sample.h"
#include "tests/reference/Sample.h"

#include <fmt/format.h>

namespace sparsec {

using Use = ProblemMatrix::Use;

std::string describe(const SampleCase &c) {
  std::string offset = c.offset == 0 ? "" : fmt::format(", logits around {}", c.offset);
  return fmt::format("{}, temperature {}{}", describe(static_cast<const MatrixCase &>(c)),
                     c.temperature, offset);
}

static SampleCase sized(DType dtype, int64_t rows, int64_t columns, float temperature = 1) {
  SampleCase c;
  c.dtype = dtype;
  c.rows = rows, c.columns = columns;
  c.temperature = temperature;
  c.surround = Surround::Filled;
  return c;
}

std::vector<SampleCase> sampleCases(const CaseFlags &flags) {
  using enum DType;
  if (flags.set == CaseFlags::Set::One) {
    SampleCase c = sized(flags.dtype, flags.rows.value_or(200), flags.columns.value_or(256));
    c.runs = 2;
    return {c};
  }
  std::vector<SampleCase> cases = {sized(F32, 33, 16), sized(F32, 3, 1), sized(BF16, 20, 131, 0.7f),
                                   sized(F16, 18, 300, 0)};
  cases[0].runs = 2;
  cases[2].gap = 3;
  if (flags.set != CaseFlags::Set::Full)
    return cases;
  for (DType dtype : {F32, BF16, F16})
    for (int64_t columns : {2, 15, 17, 256, 511, 513, 1024, 4099})
      cases.push_back(sized(dtype, 19, columns, columns % 2 ? 1.3f : 1));
  cases.push_back(sized(F32, 3, 65536));
  return cases;
}

/// A row's logits are all different, so that there is one largest.
static std::vector<float> logitsOf(const SampleCase &c, Random &random) {
  std::vector<float> logits =
      normalValues(random, c.rows * c.columns, c.dtype, c.deviation, c.offset);
  if (c.temperature == 0)
    for (int64_t r = 0; r < c.rows; ++r)
      logits[r * c.columns + random.below(c.columns)] = 10;
  return logits;
}

MatrixProblem sampleProblem(const SampleCase &c) {
  Random random(c.seed);
  reference::SampleProblem p{.rows = c.rows,
                             .columns = c.columns,
                             .temperature = c.temperature,
                             .seed = 0x0123456789ABCDEF * c.seed,
                             .logits = logitsOf(c, random)};
  const int32_t seed[2] = {static_cast<int32_t>(p.seed), static_cast<int32_t>(p.seed >> 32)};
  MatrixProblem problem;
  problem.matrices = {{"logits", Use::Input, c.rows, c.columns, c.dtype, p.logits},
                      {"seed", Use::Input, 1, 2, DType::F32, integerValues(seed)},
                      {"tokens", Use::Output, 1, c.rows, DType::F32}};
  problem.solve = [p] {
    std::vector<float> tokens = integerValues(reference::sample(p));
    return std::vector<ProblemResult>{
        {"tokens", std::vector<double>(tokens.begin(), tokens.end())}};
  };
  return problem;
}

Result<Launched> runSample(const VerifySetting &setting, const SampleCase &c,
                           const Tensors &tensors) {
  SampleRequest request{
      .entry = "draw", .columns = c.columns, .dtype = c.dtype, .target = setting.target};
  Result<std::vector<Kernel>> kernels = setting.compile(request);
  if (!kernels)
    return kernels.error();
  Result<Sample> sample = Sample::load(setting.device, std::move(*kernels), request);
  if (!sample)
    return sample.error();
  SampleCall call{.rows = c.rows,
                  .logits = tensors["logits"].tensor(),
                  .seed = tensors["seed"].tensor(),
                  .tokens = tensors["tokens"].tensor(),
                  .temperature = c.temperature};
  return keep(sample->launch(call), std::move(*sample));
}

} // namespace sparsec
