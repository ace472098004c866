// For short programs: the value of a Result, or the end of the program with its text.
#pragma once

#include <sparsec/sparsec.hpp>

#include <cstdio>
#include <cstdlib>

template <class T>
T must(sparsec::Result<T> result) {
  if (result)
    return *std::move(result);
  std::fprintf(stderr, "%s\n", result.error().message.c_str());
  std::exit(1);
}

inline void must(sparsec::Result<void> result) {
  if (result)
    return;
  std::fprintf(stderr, "%s\n", result.error().message.c_str());
  std::exit(1);
}
