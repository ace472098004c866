// glibc has this function from 2.36 on. With one of our own, what the static preset links needs no
// glibc newer than 2.35: Ubuntu 22.04 has that.
#include <stdint.h>
#include <stdlib.h>
#include <sys/random.h>

__attribute__((visibility("hidden"))) uint32_t arc4random(void) {
  uint32_t value;
  if (getrandom(&value, sizeof value, 0) != sizeof value) // so few bytes come whole or never
    abort();
  return value;
}
