// What a call costs beside its kernel: medians of one run, in microseconds.
//
//   sparsec-launch [DEVICE [SAMPLES]]      cpu, 2000
//
// On cuda a call only enqueues; the queue is emptied between samples, outside of their time.
//
// A call of one tile without a key that attends: the kernel writes 16 rows of zeros and reads
// nothing, so nearly all of its time is that of binding tensors, finding the plan and launching.
#include "runtime/c/sparsec.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>

namespace {

using Clock = std::chrono::steady_clock;

template <class T>
T must(sparsec::Result<T> result) {
  if (result)
    return *std::move(result);
  std::fprintf(stderr, "%s\n", result.error().message.c_str());
  std::exit(1);
}
void must(sparsec::Result<void> result) {
  if (result)
    return;
  std::fprintf(stderr, "%s\n", result.error().message.c_str());
  std::exit(1);
}

/// Median microseconds of a call; of cheap ones, several at a time.
double median(const sparsec::Device &device, int samples, int calls,
              const std::function<void()> &call) {
  call();
  std::vector<double> times;
  for (int i = 0; i < samples; ++i) {
    must(device.synchronize());
    auto begin = Clock::now();
    for (int c = 0; c < calls; ++c)
      call();
    times.push_back(std::chrono::duration<double, std::micro>(Clock::now() - begin).count() /
                    calls);
  }
  std::nth_element(times.begin(), times.begin() + samples / 2, times.end());
  return times[static_cast<size_t>(samples) / 2];
}

} // namespace

int main(int count, char **arguments) {
  std::string name = count > 1 ? arguments[1] : "cpu";
  int samples = count > 2 ? std::atoi(arguments[2]) : 2000;
  constexpr int64_t n = 16, dim = 64;
  sparsec::CompileOptions options = {.heads = 1, .head_dim = dim};
  options.device = must(sparsec::Device::open(name));
  const char *nothing = "causal and q >= 1000000"; // whose blocks are empty at any length here
  auto attention = must(sparsec::compileExpression(nothing, options));
  auto dtype = name == "cpu" ? sparsec::f32 : sparsec::bf16;

  std::vector<float> zeros(n * dim);
  std::vector<sparsec::Memory> memory(9);
  std::vector<sparsec::TensorView> t(9);
  for (size_t i = 0; i < t.size(); ++i) {
    memory[i] = must(options.device.upload(zeros));
    t[i] = sparsec::TensorView(memory[i].get(), dtype, {1, 1, n, dim});
  }
  sparsec::TensorView lse(memory[8].get(), sparsec::f32, {1, 1, n});
  auto shape = sparsec::Shape::of(t[0], t[1]);
  auto workspace = must(attention.workspace(shape));
  sparsec::Forward forward = {
      .q = t[0], .k = t[1], .v = t[2], .out = t[3], .lse = lse, .workspace = workspace};
  sparsec::Backward backward = {.q = t[0],
                                .k = t[1],
                                .v = t[2],
                                .out = t[3],
                                .lse = lse,
                                .dout = t[4],
                                .dq = t[5],
                                .dk = t[6],
                                .dv = t[7],
                                .workspace = workspace};
  std::printf("device %s, medians of %d, us\n", name.c_str(), samples);
  std::printf("  %-44s %8.2f\n", "plan of a shape that was prepared",
              median(options.device, samples, 10, [&] { must(attention.prepare(shape)); }));
  std::printf("  %-44s %8.2f\n", "forward of one tile",
              median(options.device, samples, 10, [&] { must(attention.forward(forward)); }));
  std::printf("  %-44s %8.2f\n", "backward of one tile, its three kernels",
              median(options.device, samples, 10, [&] { must(attention.backward(backward)); }));
  options.backward = false;
  std::printf("  %-44s %8.0f\n", "a stored kernel, from disk to the first launch",
              median(options.device, std::max(1, samples / 100), 1,
                     [&] { // a device of its own finds nothing loaded
                       auto own = options;
                       own.device = must(sparsec::Device::open(name));
                       auto again = must(sparsec::compileExpression(nothing, own));
                       must(again.forward(forward));
                     }));
  must(options.device.synchronize());
}
