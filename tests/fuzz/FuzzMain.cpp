// libFuzzer's way in: ./dev fuzz.
#include "tests/fuzz/CheckInput.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::string wrong = sparsec::testing::checkInput({reinterpret_cast<const char *>(data), size});
  if (wrong.empty())
    return 0;
  std::fprintf(stderr, "%s\n", wrong.c_str());
  std::abort();
}
