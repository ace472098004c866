#include "tools/verify/ops/cross_entropy/CrossEntropy.h"

#include "runtime/CrossEntropy.h"
#include "tests/reference/CrossEntropy.h"

#include <cmath>
#include <fmt/format.h>

namespace sparsec {

using Gradient = CrossEntropyCase::Gradient;
using Use = ProblemMatrix::Use;

std::string describe(const CrossEntropyCase &c) {
  constexpr std::string_view gradients[] = {"losses alone", "with gradient", "gradient in place"};
  std::string text = fmt::format("{}, {}", describe(static_cast<const MatrixCase &>(c)),
                                 gradients[static_cast<size_t>(c.gradient)]);
  if (c.deviation != 3 || c.offset != 0)
    text += fmt::format(", logits {} +- {}", c.offset, c.deviation);
  return text + (c.ignored ? ", some rows ignored" : "") + (c.lossScale ? ", loss scale" : "");
}

namespace {
constexpr float kScale = 0.37f, kLossScale = 0x1p9f;
}

static CrossEntropyCase sized(DType dtype, int64_t rows, int64_t columns) {
  CrossEntropyCase c;
  c.dtype = dtype;
  c.rows = rows, c.columns = columns;
  c.surround = Surround::Filled;
  return c;
}

std::vector<CrossEntropyCase> crossEntropyCases(const CaseFlags &flags) {
  using enum DType;
  if (flags.set == CaseFlags::Set::One) {
    CrossEntropyCase c = sized(flags.dtype, flags.rows.value_or(200), flags.columns.value_or(256));
    c.surround = Surround::None;
    c.runs = 2;
    return {c};
  }
  std::vector<CrossEntropyCase> cases = {sized(F32, 16, 64),   sized(F32, 1, 1),
                                         sized(BF16, 37, 256), sized(BF16, 5, 131),
                                         sized(F16, 20, 1000), sized(F32, 33, 65)};
  cases[0].runs = 2;
  cases[2].gap = 8, cases[2].rowGap = 3, cases[2].runs = 2;
  cases[2].gradient = Gradient::InPlace;
  cases[3].gap = 3, cases[3].gradient = Gradient::None, cases[3].ignored = true;
  cases[4].deviation = 1000, cases[4].lossScale = true;
  cases[5].offset = 1e5f, cases[5].ignored = true, cases[5].total = false;
  if (flags.set != CaseFlags::Set::Full)
    return cases;
  for (DType dtype : {F32, BF16, F16})
    for (int64_t columns : {2, 15, 16, 17, 128, 511, 512, 513, 768, 1024, 4099}) {
      cases.push_back(sized(dtype, 19, columns));
      cases.back().gradient = columns % 3 ? Gradient::Apart : Gradient::InPlace;
      cases.back().ignored = columns % 2;
    }
  cases.push_back(sized(F32, 3, 65536));
  cases.push_back(farApart(sized(BF16, 3, 150)));
  cases.back().gradient = Gradient::InPlace;
  cases.push_back(sized(BF16, 700, 16));
  return cases;
}

MatrixProblem crossEntropyProblem(const CrossEntropyCase &c) {
  Random random(c.seed);
  reference::CrossEntropyProblem p{.rows = c.rows, .columns = c.columns};
  p.scale = c.lossScale ? kScale * kLossScale : kScale,
  p.factor = 1 / static_cast<float>(std::max<int64_t>(c.rows, 1));
  p.logits = normalValues(random, c.rows * c.columns, c.dtype, c.deviation, c.offset);
  for (int64_t r = 0; r < c.rows; ++r)
    p.targets.push_back(c.ignored && r % 3 == 0 ? -1
                                                : static_cast<int32_t>(random.below(c.columns)));
  bool inPlace = c.gradient == Gradient::InPlace;
  MatrixProblem problem;
  problem.matrices = {{inPlace ? "dlogits" : "logits", inPlace ? Use::Updated : Use::Input, c.rows,
                       c.columns, c.dtype, p.logits},
                      {"targets", Use::Input, 1, c.rows, DType::F32, integerValues(p.targets)},
                      {"loss", Use::Output, 1, c.rows, DType::F32},
                      {"total", c.total ? Use::Output : Use::Unasked, 1, 1, DType::F32}};
  if (c.gradient == Gradient::Apart)
    problem.matrices.push_back({"dlogits", Use::Output, c.rows, c.columns, c.dtype});
  if (c.lossScale)
    problem.matrices.push_back({"loss_scale", Use::Input, 1, 1, DType::F32, {kLossScale}});
  problem.solve = [c, p] {
    auto exact = reference::crossEntropy<double>(p);
    auto plain = reference::crossEntropy<float>(p);
    std::vector<ProblemResult> results = {{"loss", exact.loss, plain.loss}};
    double magnitude = 0;
    for (double loss : exact.loss)
      magnitude += std::abs(loss) * p.factor;
    if (c.total) // a sum of rounded losses, in f32
      results.push_back({"total", {exact.total}, {plain.total}, {magnitude * 16}});
    if (c.gradient != Gradient::None) {
      for (float &each : plain.dlogits)
        each = roundTo(c.dtype, each);
      results.push_back({"dlogits", exact.dlogits, plain.dlogits});
    }
    return results;
  };
  return problem;
}

Result<Launched> runCrossEntropy(const VerifySetting &setting, const CrossEntropyCase &c,
                                 const Tensors &tensors) {
  CrossEntropyRequest request{.entry = "loss",
                              .columns = c.columns,
                              .dtype = c.dtype,
                              .gradient = c.gradient != Gradient::None,
                              .lossScale = c.lossScale,
                              .target = setting.target};
  Result<std::vector<Kernel>> kernels = setting.compile(request);
  if (!kernels)
    return kernels.error();
  Result<CrossEntropy> entropy = CrossEntropy::load(setting.device, std::move(*kernels), request);
  if (!entropy)
    return entropy.error();
  const char *from = c.gradient == Gradient::InPlace ? "dlogits" : "logits";
  CrossEntropyCall call{.rows = c.rows,
                        .logits = tensors[from].tensor(),
                        .targets = tensors["targets"].tensor(),
                        .loss = tensors["loss"].tensor(),
                        .scale = kScale,
                        .factor = 1 / static_cast<float>(std::max<int64_t>(c.rows, 1))};
  if (request.gradient)
    call.dlogits = tensors["dlogits"].tensor();
  if (c.lossScale)
    call.lossScale = tensors["loss_scale"].tensor();
  if (c.total)
    call.total = tensors["total"].tensor();
  return keep(entropy->launch(call), std::move(*entropy));
}

} // namespace sparsec
