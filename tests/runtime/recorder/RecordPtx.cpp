// sparsec_record_ptx --device=cuda -o recording.bin: runs every probe on a GPU and writes down what
// came out. One file that needs nothing but libc, to be carried to a machine with a GPU:
//
//   cmake --preset static; ninja -C build/static sparsec_record_ptx
//   scp build/static/bin/sparsec_record_ptx gpu: ; ssh gpu ./sparsec_record_ptx -o h200.bin
//
// The result belongs in tests/runtime/recordings/; the replay test holds the simulator against it.
#include "runtime/cuda/CudaDevice.h"
#include "tests/runtime/recorder/Recording.h"

#include <cstdio>
#include <cstring>

using namespace sparsec;
using namespace sparsec::testing;

namespace {

int usage() {
  std::fprintf(stderr, "usage: sparsec_record_ptx [--device=cuda] -o FILE\n");
  return 2;
}

int fail(const Error &error) {
  std::fputs(error.render().c_str(), stderr);
  return error.kind == ErrorKind::Machine ? 3 : 1;
}

} // namespace

int main(int argc, char **argv) {
  const char *file = nullptr;
  for (int i = 1; i < argc; ++i) {
    if (!std::strcmp(argv[i], "-o") && i + 1 < argc)
      file = argv[++i];
    else if (std::strcmp(argv[i], "--device=cuda") != 0)
      return usage();
  }
  if (!file)
    return usage();
  // The driver's own compiler alone: it is there on every machine with a GPU.
  Result<std::unique_ptr<CudaDevice>> device =
      openCudaDevice({.search = AssemblerSearch{.nvrtc = "none", .ptxas = "none"}});
  if (!device)
    return fail(device.error());
  std::vector<std::string> refusals;
  Result<Recording> recording = record(**device, refusals);
  if (!recording)
    return fail(recording.error());
  for (const std::string &refusal : refusals)
    std::fprintf(stderr, "not recorded: %s", refusal.c_str());
  std::string bytes = serialise(*recording);
  FILE *out = std::fopen(file, "wb");
  if (!out || std::fwrite(bytes.data(), 1, bytes.size(), out) != bytes.size() || std::fclose(out))
    return fail(machineError(std::string("cannot write ") + file));
  std::printf("%s: %zu probes, %zu refused, %zu bytes\n", recording->device.c_str(),
              recording->entries.size(), refusals.size(), bytes.size());
  return 0;
}
