// Strided attention forward and backward, and one step of gradient descent on v.
#include "must.hpp"

int main() {
  auto device = must(sparsec::Device::open("cpu")); // or "cuda": nothing else changes
  auto attention = must(
      sparsec::compile("strided", {.params = {"l=32"}, .dtype = sparsec::f32, .device = device}));

  const int64_t heads = 4, n = 512, dim = 64, elements = heads * n * dim;
  std::vector<float> numbers(elements), found;
  for (size_t i = 0; i < numbers.size(); ++i)
    numbers[i] = 0.01f * static_cast<float>(i * 2654435761 % 199) - 1;
  std::vector<sparsec::Memory> memory(8);
  auto tensor = [&](int i, const std::vector<float> &values) {
    memory[i] = must(device.upload(values));
    return sparsec::TensorView(memory[i].get(), sparsec::f32, {1, heads, n, dim});
  };
  auto q = tensor(0, numbers), k = tensor(1, numbers), v = tensor(2, numbers),
       out = tensor(3, numbers), dq = tensor(4, numbers), dk = tensor(5, numbers),
       dv = tensor(6, numbers);
  auto sums = must(device.allocate(heads * n * sizeof(float)));
  sparsec::TensorView lse(sums.get(), sparsec::f32, {1, heads, n});
  auto workspace = must(attention.workspace(sparsec::Shape::of(q, k)));

  auto loss = [&] { // 1/2 sum out^2, whose gradient is out
    sparsec::Counters blocks;
    must(attention.forward({.q = q,
                            .k = k,
                            .v = v,
                            .out = out,
                            .lse = lse,
                            .workspace = workspace,
                            .counters = &blocks}));
    must(memory[3].download(found));
    double sum = 0;
    for (float value : found)
      sum += 0.5 * value * value;
    std::printf("loss %.4f; %lld blocks computed, %lld skipped\n", sum,
                static_cast<long long>(blocks.executed), static_cast<long long>(blocks.skipped));
  };
  loss();
  auto dout = tensor(7, found);
  must(attention.backward({.q = q,
                           .k = k,
                           .v = v,
                           .out = out,
                           .lse = lse,
                           .dout = dout,
                           .dq = dq,
                           .dk = dk,
                           .dv = dv,
                           .workspace = workspace}));
  must(memory[6].download(found));
  for (size_t i = 0; i < numbers.size(); ++i)
    numbers[i] -= 0.05f * found[i];
  v = tensor(2, numbers);
  loss();
}
