#include "tools/verify/ops/elementwise/Elementwise.h"

#include "runtime/Elementwise.h"
#include "tests/reference/Elementwise.h"

#include <fmt/format.h>

namespace sparsec {

using Kind = ElementwiseRequest::Kind;
using Use = ProblemMatrix::Use;

namespace {

constexpr uint64_t kSeed = 0x0123456789ABCDEF;
constexpr uint32_t kStream = 3;
constexpr float kScale = 0x1p-3f;

} // namespace

std::string describe(const ElementwiseCase &c) {
  std::string text = fmt::format("{} from {}, {}", describe(static_cast<const MatrixCase &>(c)),
                                 name(c.from), name(c.kind));
  if (c.kind == Kind::Dropout)
    text += fmt::format(" {}{}", c.drop, c.residual ? " with residual" : "");
  return c.deviation == 2 ? text : text + fmt::format(", values +- {}", c.deviation);
}

static ElementwiseCase sized(Kind kind, DType from, DType to, int64_t rows, int64_t columns) {
  ElementwiseCase c;
  c.kind = kind;
  c.from = from, c.dtype = to;
  c.rows = rows, c.columns = columns;
  c.surround = Surround::Filled;
  return c;
}

std::vector<ElementwiseCase> elementwiseCases(const CaseFlags &flags) {
  using enum DType;
  std::vector<ElementwiseCase> cases;
  constexpr Kind kinds[] = {Kind::Cast, Kind::Gelu, Kind::GeluBackward, Kind::Dropout};
  if (flags.set == CaseFlags::Set::One) {
    for (Kind kind : kinds) {
      cases.push_back(sized(kind, flags.dtype, flags.dtype, flags.rows.value_or(200),
                            flags.columns.value_or(256)));
      cases.back().residual = true;
      cases.back().runs = 2;
    }
    return cases;
  }
  for (Kind kind : kinds) {
    cases.push_back(sized(kind, F32, F32, 33, 80));
    cases.back().deviation = 50; // sigmoids of 0 and of 1
    cases.push_back(sized(kind, F32, BF16, 5, 129));
    cases.push_back(sized(kind, F16, F32, 1, 7));
    cases.push_back(sized(kind, BF16, BF16, 20, 520));
    cases.back().gap = 8, cases.back().rowGap = 2;
    cases.back().residual = true;
    cases.back().runs = 2;
  }
  cases.push_back(sized(Kind::Dropout, F32, F32, 40, 64));
  cases.back().drop = 0, cases.back().residual = true;
  cases.push_back(sized(Kind::Dropout, F32, F32, 40, 64));
  cases.back().drop = 0.999;
  if (flags.set != CaseFlags::Set::Full)
    return cases;
  for (Kind kind : kinds)
    for (DType from : {F32, F16, BF16})
      for (DType to : {F32, F16, BF16})
        for (int64_t columns : {1, 16, 511, 1024}) {
          cases.push_back(sized(kind, from, to, 18, columns));
          cases.back().residual = columns % 2;
        }
  cases.push_back(farApart(sized(Kind::Gelu, F16, F16, 3, 300)));
  return cases;
}

MatrixProblem elementwiseProblem(const ElementwiseCase &c) {
  Random random(c.seed);
  int64_t count = c.rows * c.columns;
  std::vector<float> x = normalValues(random, count, c.from, c.deviation), other;
  bool drops = c.kind == Kind::Dropout, backward = c.kind == Kind::GeluBackward;
  MatrixProblem problem;
  problem.matrices = {{"x", Use::Input, c.rows, c.columns, c.from, x},
                      {"y", Use::Output, c.rows, c.columns, c.dtype}};
  if (backward) {
    other = normalValues(random, count, c.from);
    problem.matrices.push_back({"dy", Use::Input, c.rows, c.columns, c.from, other});
  }
  if (drops && c.residual) {
    other = normalValues(random, count, c.dtype);
    problem.matrices.push_back({"residual", Use::Input, c.rows, c.columns, c.dtype, other});
  }
  if (drops) {
    const int32_t seed[2] = {static_cast<int32_t>(kSeed), static_cast<int32_t>(kSeed >> 32)};
    problem.matrices.push_back({"seed", Use::Input, 1, 2, DType::F32, integerValues(seed)});
  }
  problem.solve = [=] {
    auto solved = [&]<class T>(T) -> std::vector<T> {
      switch (c.kind) {
      case Kind::Cast: {
        std::vector<T> y(x.begin(), x.end());
        for (T &each : y)
          each *= T(kScale);
        return y;
      }
      case Kind::Gelu:
        return reference::gelu<T>(x);
      case Kind::GeluBackward:
        return reference::geluBackward<T>(x, other);
      case Kind::Dropout:
        return reference::dropout<T>({.rows = c.rows,
                                      .columns = c.columns,
                                      .seed = dropoutSeed(kSeed, kStream),
                                      .drop = c.drop,
                                      .x = x,
                                      .residual = other});
      }
      return {};
    };
    std::vector<float> plain = solved(float());
    for (float &each : plain)
      each = roundTo(c.dtype, each);
    return std::vector<ProblemResult>{{"y", solved(double()), plain}};
  };
  return problem;
}

Result<Launched> runElementwise(const VerifySetting &setting, const ElementwiseCase &c,
                                const Tensors &tensors) {
  ElementwiseRequest request{.entry = std::string(name(c.kind)),
                             .kind = c.kind,
                             .from = c.from,
                             .to = c.dtype,
                             .target = setting.target};
  Result<std::vector<Kernel>> kernels = setting.compile(request);
  if (!kernels)
    return kernels.error();
  Result<Elementwise> map = Elementwise::load(setting.device, std::move(*kernels), request);
  if (!map)
    return map.error();
  ElementwiseCall call{.rows = c.rows,
                       .columns = c.columns,
                       .x = tensors["x"].tensor(),
                       .y = tensors["y"].tensor(),
                       .scale = kScale,
                       .stream = kStream};
  if (c.kind == Kind::GeluBackward)
    call.dy = tensors["dy"].tensor();
  if (c.kind == Kind::Dropout) {
    call.seed = tensors["seed"].tensor();
    call.drop = c.drop;
    if (c.residual)
      call.residual = tensors["residual"].tensor();
  }
  return keep(map->launch(call), std::move(*map));
}

} // namespace sparsec
