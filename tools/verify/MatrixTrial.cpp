#include "tools/verify/MatrixTrial.h"

#include <bit>
#include <fmt/format.h>

namespace sparsec {

std::string describe(const MatrixCase &c) {
  std::string text = fmt::format("{}, {} x {}", name(c.dtype), c.rows, c.columns);
  if (c.gap || c.rowGap)
    text += fmt::format(" + {} x {}", c.rowGap, c.gap);
  return text;
}

std::vector<NamedSize> sizesOf(const MatrixCase &c) {
  return {{"rows", c.rows}, {"columns", c.columns}};
}

std::vector<float> normalValues(Random &random, int64_t count, DType type, float deviation,
                                float mean) {
  std::vector<float> values(count);
  for (float &value : values)
    value = roundTo(type, mean + deviation * random.normal());
  return values;
}

std::vector<float> integerValues(std::span<const int32_t> integers) {
  std::vector<float> values;
  for (int32_t each : integers)
    values.push_back(std::bit_cast<float>(each));
  return values;
}

CompileFunction compileOnce(CompileFunction compile) {
  auto compiled = std::make_shared<std::map<std::string, std::vector<Kernel>>>();
  return [compile = std::move(compile),
          compiled](const Request &request) -> Result<std::vector<Kernel>> {
    std::string text = request.text();
    if (auto found = compiled->find(text); found != compiled->end())
      return found->second;
    Result<std::vector<Kernel>> kernels = compile(request);
    if (kernels)
      compiled->emplace(std::move(text), *kernels);
    return kernels;
  };
}

namespace {

using Use = ProblemMatrix::Use;

class MatrixTrial : public Trial {
public:
  MatrixTrial(const MatrixCase &c, MatrixProblem problem) : c(c), problem(std::move(problem)) {}

  std::vector<std::string> groups() const override { return {"all"}; }

  Tensors tensors() const override {
    Tensors tensors;
    for (const ProblemMatrix &each : problem.matrices) {
      TensorSpec spec{.extent = {1, 1, each.rows},
                      .columns = each.columns,
                      .gap = c.gap,
                      .rowGap = c.rowGap,
                      .dtype = each.dtype,
                      .surround = c.surround};
      switch (each.use) {
      case Use::Input:
        tensors.input(each.name, spec, each.values);
        break;
      case Use::Output:
        tensors.output(each.name, spec);
        break;
      case Use::Updated:
        tensors.updated(each.name, spec, each.values);
        break;
      case Use::Unasked:
        tensors.unasked(each.name, spec);
        break;
      }
    }
    return tensors;
  }

  const std::vector<Expected> &expected() override {
    if (!outputs.empty())
      return outputs;
    for (ProblemResult &result : problem.solve()) {
      auto found = std::ranges::find(problem.matrices, result.output, &ProblemMatrix::name);
      assert(found != problem.matrices.end() && "a result of no matrix");
      outputs.push_back({.output = result.output,
                         .rows = found->rows,
                         .columns = found->columns,
                         .exact = std::move(result.exact),
                         .plain = std::move(result.plain),
                         .terms = std::move(result.terms),
                         .units = result.units.value_or(defaultUnits(found->dtype)),
                         .headsOf = {{0}}});
    }
    return outputs;
  }

private:
  MatrixCase c;
  MatrixProblem problem;
  std::vector<Expected> outputs;
};

} // namespace

std::unique_ptr<Trial> matrixTrial(const MatrixCase &c, MatrixProblem problem) {
  return std::make_unique<MatrixTrial>(c, std::move(problem));
}

} // namespace sparsec
