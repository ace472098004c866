#include "runtime/Matmul.h"

#include "model/ops/Operations.h"

#include <fmt/format.h>

namespace sparsec {

namespace {

std::string shapeOf(int64_t tokens, int64_t in, int64_t out) {
  return fmt::format("{} x {} -> {}", tokens, in, out);
}

double flopsOf(int64_t tokens, int64_t in, int64_t out) {
  return 2.0 * static_cast<double>(tokens) * static_cast<double>(in) * static_cast<double>(out);
}

/// The product, its tile chosen for the sizes.
Result<std::shared_ptr<Matmul>> loadProduct(Loader &loader, MatmulRequest request, int64_t tokens,
                                            int64_t out, int64_t in) {
  request.target = loader.machine().target;
  request.tile = chooseTile(request, tokens, out, in);
  return loader.load<Matmul>(request);
}

} // namespace

std::vector<Use> MatmulWork::uses() const {
  return {{Use::Read, "x", x},        {Use::Read, "w", w},
          {Use::Read, "bias", bias},  {Use::Read, "residual", residual},
          {Use::Written, "out", out}, {Use::Written, "inner", inner}};
}

std::string MatmulWork::shape() const {
  return shapeOf(x.rows, x.columns, w.rows) + (bias ? ", bias" : "") + (gelu ? ", GELU" : "") +
         (residual ? ", residual" : "");
}

double MatmulWork::flops() const {
  return flopsOf(x.rows, x.columns, w.rows);
}

Result<Launch> MatmulWork::load(Loader &loader) const {
  MatmulRequest request;
  request.entry = "matmul";
  request.dtype = dtype;
  request.bias = static_cast<bool>(bias);
  request.gelu = gelu;
  request.save = static_cast<bool>(inner);
  request.residual = static_cast<bool>(residual);
  auto product = loadProduct(loader, request, x.rows, w.rows, x.columns);
  if (!product)
    return product.error();
  MatmulCall call;
  call.tokens = x.rows, call.in = x.columns, call.out = w.rows;
  call.x = loader.tensor(x), call.w = loader.tensor(w);
  call.bias = loader.tensor(bias), call.residual = loader.tensor(residual);
  call.y = loader.tensor(out), call.u = loader.tensor(inner);
  return Launch([product = *product, call, advance = out.advance](int64_t position) {
    MatmulCall moved = call;
    moved.y.address += static_cast<DeviceAddress>(position * advance);
    moved.y.bytes -= static_cast<size_t>(position * advance);
    return product->launch(moved);
  });
}

std::vector<Use> MatmulInputGradientWork::uses() const {
  return {{Use::Read, "dy", dy},
          {Use::Read, "w", w},
          {Use::Read, "inner", inner},
          {Use::Written, "dx", dx}};
}

std::string MatmulInputGradientWork::shape() const {
  return shapeOf(dy.rows, dy.columns, w.columns) + (inner ? ", GELU" : "");
}

double MatmulInputGradientWork::flops() const {
  return flopsOf(dy.rows, dy.columns, w.columns);
}

Result<Launch> MatmulInputGradientWork::load(Loader &loader) const {
  MatmulRequest request;
  request.entry = "matmul_dx";
  request.pass = MatmulRequest::Pass::InputGradient;
  request.dtype = dtype;
  request.gelu = static_cast<bool>(inner);
  auto product = loadProduct(loader, request, dy.rows, dy.columns, w.columns);
  if (!product)
    return product.error();
  MatmulCall call;
  call.tokens = dy.rows, call.in = w.columns, call.out = dy.columns;
  call.dy = loader.tensor(dy), call.w = loader.tensor(w);
  call.u = loader.tensor(inner), call.dx = loader.tensor(dx);
  return Launch([product = *product, call](int64_t) { return product->launch(call); });
}

std::vector<Use> MatmulWeightGradientWork::uses() const {
  return {{Use::Read, "x", x},
          {Use::Read, "dy", dy},
          {Use::Written, "dw", dw},
          {Use::Written, "db", db}};
}

std::string MatmulWeightGradientWork::shape() const {
  return shapeOf(x.rows, x.columns, dy.columns) + (db ? ", bias" : "");
}

double MatmulWeightGradientWork::flops() const {
  return flopsOf(x.rows, x.columns, dy.columns);
}

Result<Launch> MatmulWeightGradientWork::load(Loader &loader) const {
  MatmulRequest request;
  request.entry = "matmul_dw";
  request.pass = MatmulRequest::Pass::WeightGradient;
  request.dtype = dtype;
  request.weights = DType::F32;
  request.bias = static_cast<bool>(db);
  auto product = loadProduct(loader, request, x.rows, dy.columns, x.columns);
  if (!product)
    return product.error();
  MatmulCall call;
  call.tokens = x.rows, call.in = x.columns, call.out = dy.columns;
  call.x = loader.tensor(x), call.dy = loader.tensor(dy);
  call.dw = loader.tensor(dw), call.db = loader.tensor(db);
  call.accumulate = sums == Sums::Added;
  return Launch([product = *product, call](int64_t) { return product->launch(call); });
}

} // namespace sparsec
