// Times of a dense layer's passes at some sizes; a tool for developers.
//
//   sparsec-matmul [--device=cpu|cuda] [--dtype=f32] [--tile=ROWS,COLUMNS,CHUNK[,STAGES] ...]
//                  [--threads=N] [--busy] [--attend=EXPR --block=OUTxIN] [TOKENSxINxOUT ...]
//
// With a predicate of q (the output) and k (the input) block-sparse weights run beside dense ones:
//
//   sparsec-matmul '--attend=(q // 128 + k // 128) % 10 == 0' --block=128x128 2048x2048x2048
//
// A tile is that of the result and of what is summed in a step; several of them run in turn, and
// without one what would be chosen does. Busy: of a machine that others use too the time of this
// process on its processors counts, with one thread.
//
// On a cpu OpenBLAS computes y = x w^T of f32 beside it, each thread its share of the tokens, and
// shares are of the measured peak of multiply-adds.
#include "codegen/Compiler.h"
#include "patterns/Pattern.h"
#include "runtime/SparseMatmul.h"
#include "tools/bench/AtSizes.h"
#include "tools/bench/OpenBlas.h"
#include "tools/bench/PeakFma.h"
#include "tools/bench/Stopwatch.h"
#include "tools/verify/Random.h"

#include <algorithm>
#include <charconv>
#include <ctime>
#include <fmt/core.h>
#include <map>
#include <memory>
#include <thread>

namespace sparsec {
namespace {

struct Sizes {
  int64_t tokens, in, out;
  double flops() const { return 2.0 * double(tokens) * double(in) * double(out); }
};

struct Flags {
  std::string device = "cpu";
  DType dtype = DType::F32;
  std::vector<std::vector<int64_t>> tiles; ///< rows, columns, chunk, stages
  Expr attend;                             ///< of block-sparse weights; null: none
  Block block{64, 64};
  std::vector<Sizes> sizes;
  int threads = int(std::thread::hardware_concurrency());
  bool busy = false;
};

std::vector<int64_t> numbersIn(std::string_view text) {
  std::vector<int64_t> numbers;
  while (!text.empty()) {
    int64_t number = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    numbers.push_back(number);
    size_t used = size_t(end - text.data());
    text.remove_prefix(std::min(used + 1, text.size()));
  }
  return numbers;
}

Result<Flags> parse(std::span<char *> arguments) {
  Flags flags;
  for (std::string_view each : arguments) {
    auto value = each.substr(std::min(each.find('=') + 1, each.size()));
    if (each.starts_with("--device="))
      flags.device = value;
    else if (each.starts_with("--dtype=") && findDType(value))
      flags.dtype = *findDType(value);
    else if (each == "--busy")
      flags.busy = true, flags.threads = 1;
    else if (each.starts_with("--threads="))
      flags.threads = int(numbersIn(value)[0]);
    else if (each.starts_with("--attend=")) {
      auto read = parsePredicate(std::make_shared<SourceText>(SourceText{"", std::string(value)}));
      if (!read)
        return read.error();
      flags.attend = *read;
    } else if (auto both = numbersIn(value); each.starts_with("--block=") && both.size() == 2)
      flags.block = {int(both[0]), int(both[1])};
    else if (auto sides = numbersIn(value);
             each.starts_with("--tile=") && (sides.size() == 3 || sides.size() == 4)) {
      sides.resize(4);
      flags.tiles.push_back(std::move(sides));
    } else if (auto sizes = numbersIn(each); sizes.size() == 3)
      flags.sizes.push_back({sizes[0], sizes[1], sizes[2]});
    else
      return inputError(fmt::format("unknown: {}", each));
  }
  if (flags.sizes.empty())
    flags.sizes = {{2048, 2048, 2048}, {4096, 128, 384}, {4096, 128, 128},
                   {4096, 128, 512},   {4096, 512, 128}, {4096, 128, 256}};
  if (flags.tiles.empty())
    flags.tiles = {{0, 0, 0, 0}};
  return flags;
}

/// One of a layer's matrices, of small numbers.
class Stored {
public:
  Stored(Device &device, int64_t rows, int64_t columns, int elementBytes)
      : tensor(matrix(0, rows, columns, elementBytes)) {
    std::vector<uint16_t> halves(tensor.bytes / 2);
    Random random(1);
    for (size_t i = 0; i < halves.size(); ++i) // exponents of about 1 in every type
      halves[i] = (elementBytes == 2 || i % 2) ? uint16_t(0x3C00 + random.below(0x380)) : 0;
    auto made = Buffer::upload(device, std::as_bytes(std::span(halves)));
    if (made)
      buffer = std::move(*made);
    tensor.address = buffer.address();
  }
  Tensor tensor;

private:
  Buffer buffer;
};

class Bench {
public:
  Bench(Device &device, const Flags &flags)
      : device(device), flags(flags), threads(flags.threads), team(threads), blas(OpenBlas::open()),
        peak(flags.dtype) {}

  Result<void> run(const Sizes &sizes) {
    int size = bytes(flags.dtype);
    auto [tokens, in, out] = sizes;
    Stored x(device, tokens, in, size), dx(device, tokens, in, size), w(device, out, in, size),
        y(device, tokens, out, size), dy(device, tokens, out, size), dw(device, out, in, 4),
        bias(device, 1, out, 4);
    MatmulCall call{.tokens = tokens, .in = in, .out = out};
    call.x = x.tensor, call.dx = dx.tensor, call.w = w.tensor, call.dw = dw.tensor;
    call.y = y.tensor, call.dy = dy.tensor, call.bias = bias.tensor;
    std::vector<std::shared_ptr<Matmul>> passes;
    std::vector<Enqueue> calls;
    using Pass = MatmulRequest::Pass;
    for (Pass pass : {Pass::Forward, Pass::InputGradient, Pass::WeightGradient})
      for (const std::vector<int64_t> &tile : flags.tiles) {
        MatmulRequest request = requestOf(pass, tile);
        if (!tile[0])
          request.tile = chooseTile(request, tokens, out, in);
        auto loaded = load(request);
        if (!loaded)
          return loaded.error();
        passes.push_back(*loaded);
        calls.push_back([&call, pass = *loaded] { return pass->launch(call); });
      }
    if (device.name() == "cpu") {
      calls.push_back([&]() -> Result<void> {
        peak.run(team);
        return {};
      });
      if (blas && flags.dtype == DType::F32)
        calls.push_back([&]() -> Result<void> {
          multiply(call);
          return {};
        });
    }
    std::vector<Sparse> sparse;
    if (flags.attend)
      for (Pass pass : {Pass::Forward, Pass::InputGradient, Pass::WeightGradient}) {
        auto one = loadSparse(pass, sizes, call);
        if (!one)
          return one.error();
        calls.push_back(
            [&, matmul = one->matmul, call = one->call] { return matmul->launch(call); });
        sparse.push_back(std::move(*one));
      }
    auto timings = flags.busy ? processorTimes(calls) : timeInTurn(device, calls);
    if (!timings)
      return timings.error();
    std::vector<Timing> ofSparse(timings->end() - static_cast<ptrdiff_t>(sparse.size()),
                                 timings->end());
    timings->resize(timings->size() - sparse.size());
    report(sizes, passes, *timings);
    for (size_t i = 0; i < sparse.size(); ++i)
      reportSparse(sizes, *sparse[i].matmul, ofSparse[i], (*timings)[i * flags.tiles.size()]);
    return {};
  }

private:
  /// A pass on weights of which only some blocks are there.
  struct Sparse {
    std::shared_ptr<SparseMatmul> matmul;
    std::shared_ptr<Stored> blocks;
    MatmulCall call;
  };

  Result<Sparse> loadSparse(MatmulRequest::Pass pass, const Sizes &sizes, const MatmulCall &dense) {
    SparseMatmulRequest request{
        .entry = "sparse", .attend = flags.attend, .pass = pass, .dtype = flags.dtype};
    request.bias = pass == MatmulRequest::Pass::Forward;
    request.block = flags.block;
    request.target = targetOf(device);
    auto kernels = compile(request);
    if (!kernels)
      return kernels.error();
    auto loaded = SparseMatmul::load(device, std::move(*kernels), request);
    if (!loaded)
      return loaded.error();
    if (Result<void> ready = loaded->prepare(sizes.in, sizes.out); !ready)
      return ready.error();
    bool ofWeights = pass == MatmulRequest::Pass::WeightGradient;
    auto live = static_cast<int64_t>(loaded->blocks().size());
    auto [q, k] = flags.block;
    Sparse made{std::make_shared<SparseMatmul>(std::move(*loaded)),
                std::make_shared<Stored>(device, live * q, k, ofWeights ? 4 : bytes(flags.dtype)),
                dense};
    Tensor &weights = ofWeights ? made.call.dw : made.call.w;
    weights = made.blocks->tensor;
    weights.stride[1] = int64_t(q) * k;
    return made;
  }

  static void reportSparse(const Sizes &sizes, const SparseMatmul &matmul, const Timing &timing,
                           const Timing &dense) {
    auto [q, k] = matmul.request().block;
    auto live = static_cast<double>(matmul.blocks().size());
    fmt::print(
        "{:5} x {:4} x {:4}  {:30}  {:8.3f} ms  {:8.1f} GFLOP/s  {:.1f} % live, {:.2f} times "
        "faster than dense\n",
        sizes.tokens, sizes.in, sizes.out,
        fmt::format("sparse {} {}x{}", name(matmul.request().pass), q, k), timing.medianMs,
        2 * live * q * k * double(sizes.tokens) / timing.medianMs * 1e-6,
        100 * live * q * k / (double(sizes.in) * double(sizes.out)),
        dense.medianMs / timing.medianMs);
  }

  /// Once for all sizes.
  Result<std::shared_ptr<Matmul>> load(const MatmulRequest &request) {
    std::shared_ptr<Matmul> &found = ready[printRequest(request)];
    if (found)
      return found;
    auto kernels = compile(request);
    if (!kernels)
      return kernels.error();
    auto loaded = Matmul::load(device, std::move(*kernels), request);
    if (!loaded)
      return loaded.error();
    found = std::make_shared<Matmul>(std::move(*loaded));
    return found;
  }

  MatmulRequest requestOf(MatmulRequest::Pass pass, const std::vector<int64_t> &tile) const {
    MatmulRequest request{.entry = "matmul", .pass = pass, .dtype = flags.dtype};
    request.bias = pass == MatmulRequest::Pass::Forward;
    request.target = targetOf(device);
    request.stages = int(tile[3]);
    auto &[tokens, out, in] = request.tile;
    auto result = pass == MatmulRequest::Pass::Forward         ? std::tie(tokens, out, in)
                  : pass == MatmulRequest::Pass::InputGradient ? std::tie(tokens, in, out)
                                                               : std::tie(out, in, tokens);
    result = std::tuple(int(tile[0]), int(tile[1]), int(tile[2]));
    return request;
  }

  Result<std::vector<Timing>> processorTimes(const std::vector<Enqueue> &calls) {
    std::vector<Timing> timings;
    for (const Enqueue &call : calls) {
      std::vector<double> samples;
      double all = 0;
      while (samples.size() < 5 || all < 0.4) {
        std::clock_t begin = std::clock();
        if (Result<void> ok = call(); !ok)
          return ok.error();
        if (Result<void> ok = device.synchronize(); !ok)
          return ok.error();
        all += samples.emplace_back(double(std::clock() - begin) / CLOCKS_PER_SEC);
      }
      std::ranges::sort(samples);
      timings.push_back({.medianMs = 1e3 * samples[samples.size() / 2]});
    }
    return timings;
  }

  void multiply(const MatmulCall &call) {
    auto *x = reinterpret_cast<const float *>(call.x.address);
    auto *w = reinterpret_cast<const float *>(call.w.address);
    auto *y = reinterpret_cast<float *>(call.y.address);
    team.run([&](int member) {
      int64_t low = call.tokens * member / threads, high = call.tokens * (member + 1) / threads;
      blas->multiply({.right = OpenBlas::Product::Right::Transposed,
                      .m = high - low,
                      .n = call.out,
                      .k = call.in,
                      .a = x + low * call.in,
                      .aStride = call.in,
                      .b = w,
                      .bStride = call.in,
                      .c = y + low * call.out,
                      .cStride = call.out});
    });
  }

  void report(const Sizes &sizes, const std::vector<std::shared_ptr<Matmul>> &passes,
              const std::vector<Timing> &timings) const {
    size_t ours = passes.size();
    double most = timings.size() > ours ? peak.flops(threads) / timings[ours].medianMs : 0;
    for (size_t i = 0; i < timings.size(); ++i) {
      double rate = (i == ours ? peak.flops(threads) : sizes.flops()) / timings[i].medianMs;
      std::string what = i == ours ? "peak" : "OpenBLAS, forward";
      if (i < ours) {
        const MatmulRequest &request = passes[i]->request();
        auto [tokens, out, in] = tileOf(request);
        what =
            fmt::format("{} {}x{}x{}/{}", name(request.pass), tokens, out, in, stagesOf(request));
      }
      fmt::print("{:5} x {:4} x {:4}  {:30}  {:8.3f} ms  {:8.1f} GFLOP/s", sizes.tokens, sizes.in,
                 sizes.out, what, timings[i].medianMs, rate * 1e-6);
      fmt::print("{}\n", most > 0 ? fmt::format("  {:5.1f} %", 100 * rate / most) : "");
    }
  }

  Device &device;
  const Flags &flags;
  int threads;
  Team team;
  Result<OpenBlas> blas;
  PeakFma peak;
  std::map<std::string, std::shared_ptr<Matmul>> ready;
};

} // namespace
} // namespace sparsec

int main(int count, char **arguments) {
  return sparsec::mainAtSizes<sparsec::Bench>(count, arguments, sparsec::parse);
}
