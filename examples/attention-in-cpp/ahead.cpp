// Attention by kernels that were compiled with this program, in parts, with grouped heads, at two
// lengths: libsparsec is all it needs.
#include "must.hpp"

#include <cmath>
#include <kernels.hpp>

int main() {
  auto device = must(sparsec::Device::open("cpu"));
  auto attention = must(kernels::window(device));
  for (int64_t n : {300, 1000}) {
    const int64_t heads = 4, kv_heads = 2, dim = 64;
    std::vector<float> ones(static_cast<size_t>(heads * n * dim), 1.0f);
    auto q = must(device.upload(ones)), k = must(device.upload(ones)),
         out = must(device.upload(ones));
    sparsec::TensorView queries(q.get(), sparsec::f32, {1, heads, n, dim});
    sparsec::TensorView keys(k.get(), sparsec::f32, {1, kv_heads, n, dim});
    must(attention.forward(
        {.q = queries,
         .k = keys,
         .v = keys,
         .out = {out.get(), sparsec::f32, {1, heads, n, dim}},
         .workspace = must(attention.workspace(sparsec::Shape::of(queries, keys)))}));
    must(out.download(ones));
    double furthest = 0; // a mean of ones is one
    for (float value : ones)
      furthest = std::fmax(furthest, std::fabs(value - 1.0));
    std::printf("n = %lld: at most %.0e from 1\n", static_cast<long long>(n), furthest);
  }
}
