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

/// A product of so many sizes, its tile chosen for them, and what its calls are.
struct LoadedProduct {
  std::shared_ptr<Matmul> product;
  LoadedCall call;
};
Result<LoadedProduct> loadProduct(Loader &loader, MatmulRequest request, const MatmulCall &sizes,
                                  const CallOperation &operation) {
  request.target = loader.machine().target;
  request.tile = chooseTile(request, sizes.tokens, sizes.out, sizes.in);
  auto product = loader.load<Matmul>(request);
  if (!product)
    return product.error();
  auto call = loader.describe(request, operation, bytes(request.dtype));
  if (!call)
    return call.error();
  MatmulRequest::Tile tile = tileOf(request);
  call->kernel = fmt::format("{} {}x{}x{}", call->kernel, tile.tokens, tile.out, tile.in);
  call->workspace =
      static_cast<int64_t>((*product)->workspaceBytes(sizes.tokens, sizes.in, sizes.out));
  return LoadedProduct{*product, std::move(*call)};
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

Result<LoadedCall> MatmulWork::load(Loader &loader) const {
  MatmulRequest request;
  request.entry = "matmul";
  request.dtype = dtype;
  request.bias = static_cast<bool>(bias);
  request.gelu = gelu;
  request.save = static_cast<bool>(inner);
  request.residual = static_cast<bool>(residual);
  MatmulCall sizes;
  sizes.tokens = x.rows, sizes.in = x.columns, sizes.out = w.rows;
  auto loaded = loadProduct(loader, request, sizes, *this);
  if (!loaded)
    return loaded.error();
  loaded->call.bind = [this, sizes, product = loaded->product](const Places &at) {
    MatmulCall call = sizes;
    call.x = at.tensor(x), call.w = at.tensor(w);
    call.bias = at.tensor(bias), call.residual = at.tensor(residual);
    call.y = at.tensor(out), call.u = at.tensor(inner);
    return [product, call, advance = out.advance](int64_t position) {
      MatmulCall moved = call;
      moved.y.address += static_cast<DeviceAddress>(position * advance);
      moved.y.bytes -= static_cast<size_t>(position * advance);
      return product->launch(moved);
    };
  };
  return std::move(loaded->call);
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

Result<LoadedCall> MatmulInputGradientWork::load(Loader &loader) const {
  MatmulRequest request;
  request.entry = "matmul_dx";
  request.pass = MatmulRequest::Pass::InputGradient;
  request.dtype = dtype;
  request.gelu = static_cast<bool>(inner);
  MatmulCall sizes;
  sizes.tokens = dy.rows, sizes.in = w.columns, sizes.out = dy.columns;
  auto loaded = loadProduct(loader, request, sizes, *this);
  if (!loaded)
    return loaded.error();
  loaded->call.bind = [this, sizes, product = loaded->product](const Places &at) {
    MatmulCall call = sizes;
    call.dy = at.tensor(dy), call.w = at.tensor(w);
    call.u = at.tensor(inner), call.dx = at.tensor(dx);
    return [product, call](int64_t) { return product->launch(call); };
  };
  return std::move(loaded->call);
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

Result<LoadedCall> MatmulWeightGradientWork::load(Loader &loader) const {
  MatmulRequest request;
  request.entry = "matmul_dw";
  request.pass = MatmulRequest::Pass::WeightGradient;
  request.dtype = dtype;
  request.weights = DType::F32;
  request.bias = static_cast<bool>(db);
  MatmulCall sizes;
  sizes.tokens = x.rows, sizes.in = x.columns, sizes.out = dy.columns;
  auto loaded = loadProduct(loader, request, sizes, *this);
  if (!loaded)
    return loaded.error();
  loaded->call.bind = [this, sizes, product = loaded->product](const Places &at) {
    MatmulCall call = sizes;
    call.x = at.tensor(x), call.dy = at.tensor(dy);
    call.dw = at.tensor(dw), call.db = at.tensor(db);
    call.accumulate = sums == Sums::Added;
    call.workspace = at.workspace();
    return [product, call](int64_t) { return product->launch(call); };
  };
  return std::move(loaded->call);
}

} // namespace sparsec
