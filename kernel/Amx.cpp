#include "kernel/CpuCall.h"

#include <sys/syscall.h>
#include <unistd.h>

namespace sparsec {

/// The registers are 8 KiB a thread, which Linux keeps only for processes that ask.
bool mayUseAmx() {
#ifdef __x86_64__
  constexpr int kRequestState = 0x1023; // ARCH_REQ_XCOMP_PERM
  constexpr int kTileData = 18;
  static const bool granted = syscall(SYS_arch_prctl, kRequestState, kTileData) == 0;
  return granted;
#else
  return false;
#endif
}

} // namespace sparsec
