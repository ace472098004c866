// Operations whose tensors are matrices [rows, columns], and whose reference is a function of them:
// a case, its numbers and its runner are a struct and two functions, and the operation's row of the
// verifier's table follows from them.
//
//   struct RowScaleCase : MatrixCase { static constexpr std::string_view kOperation = "row_scale"; };
//   std::vector<RowScaleCase> casesOf(const CaseFlags &);
//   MatrixProblem problemOf(const RowScaleCase &);                    inputs, outputs, solve()
//   Result<Launched> run(const VerifySetting &, const RowScaleCase &, const Tensors &);
//   constexpr VerifyOperation kRow = matrixVerification<RowScaleCase, casesOf, problemOf, run>();
//
// A vector is a matrix of one row. Compiled kernels are kept by the text of their request, so run()
// may compile at each call.
#pragma once

#include "tools/verify/Operation.h"
#include "tools/verify/Random.h"

namespace sparsec {

/// What the cases of such operations have in common.
struct MatrixCase {
  DType dtype = DType::F32;
  int64_t rows = 0, columns = 0;
  int64_t gap = 0, rowGap = 0; ///< unused elements after each row, unused rows after the last
  Surround surround = Surround::None;
  int runs = 1; ///< 2: the second has to give the same bits
  uint64_t seed = 1;
};

/// Rows so far apart that a matrix is larger than what stays in a cache, in 18 MB of memory.
template <class C>
C farApart(C c) {
  c.rows = 3;
  c.gap = (6 << 20) / bytes(c.dtype) - c.columns;
  c.surround = Surround::None;
  return c;
}

/// "bf16, 100 x 768 + 3 x 4"
std::string describe(const MatrixCase &c);
std::vector<NamedSize> sizesOf(const MatrixCase &c);

/// One matrix of a problem.
struct ProblemMatrix {
  enum class Use : uint8_t {
    Input,
    Output,
    Updated, ///< read and written: its values are what it holds before
    Unasked, ///< an output whose address is not handed to the kernel
  };
  std::string name;
  Use use = Use::Input;
  int64_t rows = 1, columns = 0;
  DType dtype = DType::F32;
  std::vector<float> values = {}; ///< of Input and Updated, which the type holds exactly
};

/// What an output should hold; the meaning of its fields is Expected's.
struct ProblemResult {
  std::string output;
  std::vector<double> exact;
  std::vector<float> plain = {};
  std::vector<double> terms = {};
  std::optional<double> units = {}; ///< defaultUnits() of the output's type
};

struct MatrixProblem {
  std::vector<ProblemMatrix> matrices;
  std::function<std::vector<ProblemResult>()> solve; ///< of every Output and Updated
};

std::unique_ptr<Trial> matrixTrial(const MatrixCase &c, MatrixProblem problem);

/// Normal numbers that the type holds: mean + deviation z.
std::vector<float> normalValues(Random &random, int64_t count, DType type, float deviation = 1,
                                float mean = 0);
/// Integers as what a matrix of DType::F32 holds: their bits.
std::vector<float> integerValues(std::span<const int32_t> integers);

/// Setting::compile that compiles a request once.
CompileFunction compileOnce(CompileFunction compile);

/// What a launch uses until it has run: kernels, memory.
using Launched = std::shared_ptr<const void>;
/// Hands on what a launch uses, unless that failed.
template <class T>
Result<Launched> keep(Result<void> launched, T &&used) {
  if (!launched)
    return launched.error();
  return Launched(std::make_shared<std::decay_t<T>>(std::forward<T>(used)));
}

template <class C>
class MatrixRunner : public Runner {
public:
  using Run = Result<Launched> (*)(const VerifySetting &setting, const C &c,
                                   const Tensors &tensors);
  MatrixRunner(const VerifySetting &given, Run run) : setting(given), run(run) {
    setting.compile = compileOnce(setting.compile);
  }
  Result<std::vector<std::string>> launch(const VerifyCase &c, const Tensors &tensors) override {
    Result<Launched> launched = run(setting, *c.as<C>(), tensors);
    if (!launched)
      return launched.error();
    Result<void> ran = setting.device.synchronize();
    return std::vector<std::string>{ran ? "" : ran.error().message};
  }

private:
  VerifySetting setting;
  Run run;
};

template <class C, std::vector<C> (*cases)(const CaseFlags &), MatrixProblem (*problem)(const C &),
          Result<Launched> (*run)(const VerifySetting &, const C &, const Tensors &)>
constexpr VerifyOperation matrixVerification() {
  return {C::kOperation,
          [](const Pattern &, const CaseFlags &flags) {
            std::vector<VerifyCase> all;
            for (C &each : cases(flags)) {
              each.seed += flags.seed;
              all.push_back(std::move(each));
            }
            return all;
          },
          [](const Pattern &, const VerifyCase &c) {
            return matrixTrial(*c.as<C>(), problem(*c.as<C>()));
          },
          [](const VerifySetting &setting) -> std::unique_ptr<Runner> {
            return std::make_unique<MatrixRunner<C>>(setting, run);
          },
          PatternUse::None};
}

} // namespace sparsec
