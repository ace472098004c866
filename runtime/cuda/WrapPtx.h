// PTX as CUDA C++, so that NVRTC assembles it in the process: every kernel's body becomes one block
// of inline assembly in a kernel of the same signature.
//
//   .extern .shared .align 16 .b8 tiles[];       extern __shared__ __align__(16) unsigned char
//                                                    tiles[];
//   .visible .entry attend(                      struct __align__(8) attend_argument_0
//     .param .align 8 .b8 attend_param_0[232])       { unsigned char bytes[232]; };
//   .maxntid 128                                 extern "C" __global__ void
//   {                                            __launch_bounds__(128)
//     ld.param.u64 %rd1, [attend_param_0];       attend(const __grid_constant__ attend_argument_0
//     ...                                                   attend_param_0) {
//   }                                              asm volatile("{\n"
//                                                    "ld.param.u64 %%rd1, [attend_param_0];\n"
//                                                    ... "}\n" :: "r"(address of tiles)); }
//
// The body names the parameters themselves: NVRTC calls the i-th one `<entry>_param_<i>`, and the
// PTX is renamed where it calls it something else. The address of dynamic shared memory is an
// operand that nothing reads; it makes NVRTC declare the symbol. Static shared memory is declared
// inside the block.
//
// Refused, so that another assembler takes it: functions, global and constant variables, and
// directives of a kernel that CUDA C++ cannot say.
#pragma once

#include "patterns/Error.h"

namespace sparsec {

Result<std::string> wrapPtx(const std::string &ptx);

} // namespace sparsec
