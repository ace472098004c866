// Debian's libpng.a is for programs alone: it reads `stderr` where a program has it. The static
// preset's copy of it (Dependencies.cmake) reads this instead, and so goes into libraries.
#include <stdio.h>

FILE *png_stderr;

__attribute__((constructor)) static void set(void) {
  png_stderr = stderr;
}
