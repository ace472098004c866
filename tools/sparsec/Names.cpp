#include "tools/sparsec/Names.h"

#include <algorithm>
#include <cctype>
#include <fmt/core.h>

namespace sparsec::cli {
namespace {

/// Headers, without .h, that programs ask for or that those ask for: of C, POSIX, glibc, compilers
/// and CUDA; and sparsec.h, which is ours.
constexpr std::string_view kHeaders =
    " aio alloca ar argp argz assert byteswap complex cpio crypt ctype cuda dirent dlfcn elf "
    "endian envz err errno error execinfo fcntl features fenv float fmtmsg fnmatch fstab fts "
    "ftw gconv getopt glob grp gshadow iconv ifaddrs immintrin inttypes iso646 langinfo "
    "lastlog libgen libintl limits link locale malloc math mcheck memory mm_malloc mntent "
    "monetary mqueue ndbm netdb nl_types nss obstack omp paths poll printf proc_service "
    "pthread pty pwd quadmath re_comp regex regexp resolv sched search semaphore setjmp "
    "sgtty shadow signal sparsec spawn stab stdalign stdarg stdatomic stdbit stdbool "
    "stdckdint stddef stdint stdio stdio_ext stdlib stdmchar stdnoreturn string strings "
    "stropts syscall sysexits syslimits syslog tar termio termios tgmath thread_db threads "
    "time trace ttyent uchar ucontext ulimit unistd unwind utime utmp utmpx values varargs "
    "wait wchar wctype wordexp x86intrin ";

} // namespace

std::string Names::take(const std::string &wanted, const std::vector<std::string> &suffixes) {
  std::string name = wanted;
  auto isTaken = [&](const std::string &suffix) { return taken.count(upperCase(name + suffix)); };
  for (int number = 2; std::ranges::any_of(suffixes, isTaken); ++number)
    name = fmt::format("{}_{}", wanted, number);
  for (const std::string &suffix : suffixes)
    taken.insert(upperCase(name + suffix));
  return name;
}

std::string identifier(const std::string &name) {
  std::string out;
  for (char c : name)
    out += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return out;
}

std::string upperCase(const std::string &name) {
  std::string upper;
  for (char c : name)
    upper += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return upper;
}

std::string headerFile(const std::string &pattern) {
  std::string name = identifier(pattern);
  bool isSystems =
      upperCase(std::string(kHeaders)).find(upperCase(" " + name + " ")) != std::string::npos;
  return name + (isSystems ? "_kernels.h" : ".h");
}

} // namespace sparsec::cli
