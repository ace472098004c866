#include "tests/ops/row_sum/Verification.h"

#include "tests/ops/row_sum/RowSumCall.h"
#include "tools/verify/Random.h"

#include <fmt/format.h>

#include <cmath>
#include <numeric>

namespace sparsec {

std::string describe(const RowSumCase &c) {
  std::string text =
      fmt::format("{}, {} columns, {} rows, {} x {} heads, {}", name(c.dtype), c.columns, c.rows,
                  c.batch, c.heads, c.order == TensorOrder::BatchHeadRow ? "BHSD" : "BSHD");
  if (c.gap || c.rowGap)
    text += fmt::format(" + {} x {}", c.rowGap, c.gap);
  return text;
}

std::vector<NamedSize> sizesOf(const RowSumCase &c) {
  return {{"columns", c.columns}, {"rows", c.rows}};
}

std::vector<VerifyCase> rowSumCases(const Pattern &, const CaseFlags &flags) {
  if (flags.set == CaseFlags::Set::One)
    return {RowSumCase{.columns = flags.headDim,
                       .rows = flags.n.value_or(200),
                       .heads = flags.heads,
                       .runs = 2,
                       .seed = 1 + flags.seed}};
  std::vector<int> columns = {16, 80};
  if (flags.set == CaseFlags::Set::Full)
    columns = {16, 64, 80, 128, 256};
  std::vector<VerifyCase> cases;
  for (int each : columns)
    for (int64_t rows : {1, 64, 150}) {
      RowSumCase c{.columns = each, .rows = flags.n.value_or(rows), .seed = 1 + flags.seed};
      cases.push_back(c);
      c.batch = 2, c.heads = 3;
      c.scale = -0.37f;
      c.order = TensorOrder::BatchRowHead;
      c.gap = 4, c.rowGap = 3;
      c.surround = Surround::Filled;
      c.runs = 2;
      cases.push_back(c);
    }
  return cases;
}

namespace {

class RowSumTrial : public Trial {
public:
  explicit RowSumTrial(const RowSumCase &c) : c(c), x(c.batch * c.heads * c.rows * c.columns) {
    Random random(c.seed);
    for (float &value : x)
      value = random.normal();
  }

  std::vector<std::string> groups() const override { return {"all"}; }

  Tensors tensors() const override {
    Tensors tensors;
    tensors.input("x",
                  {.extent = {c.batch, c.heads, c.rows},
                   .columns = c.columns,
                   .order = c.order,
                   .gap = c.gap,
                   .rowGap = c.rowGap,
                   .surround = c.surround},
                  x);
    tensors.output("y", {.extent = {c.batch, c.heads, 1},
                         .columns = c.rows,
                         .gap = c.rowGap,
                         .surround = c.surround});
    return tensors;
  }

  const std::vector<Expected> &expected() override {
    if (!outputs.empty())
      return outputs;
    Expected y{.output = "y", .heads = c.heads, .rows = c.rows};
    y.headsOf.resize(1);
    for (int64_t h = 0; h < c.heads; ++h)
      y.headsOf[0].push_back(h);
    for (auto row = x.begin(); row != x.end(); row += c.columns) {
      double sum = 0, magnitude = 0;
      for (int i = 0; i < c.columns; ++i) {
        sum += row[i];
        magnitude += std::abs(row[i]);
      }
      y.exact.push_back(c.scale * sum);
      y.terms.push_back(c.columns * std::abs(c.scale) * magnitude);
    }
    outputs.push_back(std::move(y));
    return outputs;
  }

private:
  RowSumCase c;
  std::vector<float> x;
  std::vector<Expected> outputs;
};

class RowSumRunner : public Runner {
public:
  explicit RowSumRunner(const VerifySetting &setting) : setting(setting) {}

  Result<std::vector<std::string>> launch(const VerifyCase &asked,
                                          const Tensors &tensors) override {
    const RowSumCase &c = *asked.as<RowSumCase>();
    RowSumRequest request{.entry = fmt::format("sum_of_{}", c.columns),
                          .columns = c.columns,
                          .target = setting.target};
    Result<Kernel> kernel = single(setting.compile(request));
    if (!kernel)
      return kernel.error();
    Result<RowSum> sum = RowSum::load(setting.device, std::move(*kernel), request);
    if (!sum)
      return sum.error();
    RowSumCall call{.batch = c.batch,
                    .heads = c.heads,
                    .rows = c.rows,
                    .x = tensors["x"].tensor(),
                    .y = tensors["y"].tensor(),
                    .scale = c.scale};
    if (Result<void> launched = sum->launch(call); !launched)
      return launched.error();
    Result<void> ran = setting.device.synchronize();
    return std::vector<std::string>{ran ? "" : ran.error().message};
  }

private:
  VerifySetting setting;
};

} // namespace

std::unique_ptr<Trial> rowSumTrial(const Pattern &, const VerifyCase &c) {
  return std::make_unique<RowSumTrial>(*c.as<RowSumCase>());
}

std::unique_ptr<Runner> rowSumRunner(const VerifySetting &setting) {
  return std::make_unique<RowSumRunner>(setting);
}

} // namespace sparsec
