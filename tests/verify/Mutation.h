// A kernel with one thing taken out: what a test suite that deserves trust has to notice.
//
//   bar.sync 0;                               ->  (nothing)
//   cp.async.wait_group 1;                    ->  (nothing)
//   cp.async.commit_group;                    ->  (nothing)
//   selp.f32 %f9, %f8, 0fFF800000, %p3;       ->  mov.b32 %f9, %f8;             a mask dropped
//   setp.lt.u32 %p3, %r7, %r2;  (a length)    ->  setp.eq.s32 %p3, 0, 0;        an end of the rows
//
// Mutants are PTX text that still assembles: a mutant that is not even loaded proves nothing.
#pragma once

#include "kernel/ops/Attention.h"

namespace sparsec::testing {

enum class MutationKind { Barrier, Wait, Commit, Mask, Range };
std::string_view name(MutationKind kind);

struct Mutant {
  MutationKind kind = MutationKind::Barrier;
  int line = 0;         ///< 1-based, in the kernel's text
  std::string original; ///< that line, without its indentation
  std::string ptx;      ///< the whole text, changed
};

/// Every mutant of a kernel.
std::vector<Mutant> mutantsOf(const Kernel &kernel);

} // namespace sparsec::testing
