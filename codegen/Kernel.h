// A compiled kernel and how to ask for one. This header is all that runtime/ and tools/ need to see
// of the compiler: no MLIR, no LLVM.
//
//   KernelRequest -> compile() -> Kernel {entry, ptx, arguments, grid rule, shared memory}
//
// A kernel computes attention of one head entry of a pattern, for every model head that uses the
// entry.
#pragma once

#include "patterns/OrderSpec.h"
#include "patterns/Pattern.h"

#include <array>

namespace sparsec {

enum class DType : uint8_t { F16, BF16, F32 };
std::string_view name(DType type); ///< "f16", "bf16", "f32"
int bytes(DType type);

/// The kind of machine that a target's code is for.
enum class Machine : uint8_t { Gpu, Cpu };

/// What code is generated for: a GPU of the target table (codegen/ptx/Targets.def), or a CPU.
struct Target {
  std::string name;       ///< "sm_80", "cpu"
  int sharedBytes = 0;    ///< GPU: most shared memory a block may have
  std::string ptxVersion; ///< GPU: "ptx80"
  Machine machine = Machine::Gpu;
  std::string level; ///< CPU: "host", or a level by name (codegen/cpu/Level.h)
};
/// By name. "cpu" is code for this machine; "cpu-avx2" for any with that level.
Result<Target> findTarget(const std::string &name);
std::vector<std::string> targetNames();
/// The type that kernels take when nobody says: bf16 on GPUs, f32 on CPUs.
DType defaultDType(const Target &target);

/// One argument struct for every kernel of attention forward, passed by value; the C header and the
/// manifest list the same fields in the same order. Strides are in elements; the last dimension is
/// contiguous. Pointers and strides of q, k, v, out and prior_out: multiples of 16 bytes.
///
/// Which blocks are live: row_forms where there are any (layout/ClosedForm.h), else the tables.
struct AttentionArguments {
  const void *q = nullptr;         ///< [batch, heads, nq, head_dim] by strides
  const void *k = nullptr;         ///< [batch, kv_heads, n, head_dim]
  const void *v = nullptr;         ///< [batch, kv_heads, n, value_dim]
  void *out = nullptr;             ///< [batch, heads, nq, value_dim]
  float *lse = nullptr;            ///< [batch, heads, nq], natural log; null: not wanted
  const float *priorOut = nullptr; ///< of the parts before, in f32, if the kernel goes on from them
  const float *priorLse = nullptr; ///< likewise, in units of ln 2
  int64_t qStride[3] = {};         ///< batch, head, row
  int64_t kStride[3] = {};
  int64_t vStride[3] = {};
  int64_t outStride[3] = {};
  int64_t lseStride[2] = {}; ///< batch, head
  int64_t priorOutStride[3] = {};
  int64_t priorLseStride[2] = {};
  const int32_t *queryOrder = nullptr;   ///< orderNumbers() of the queries; null: natural order
  const int32_t *keyOrder = nullptr;     ///< of the keys
  const int32_t *rowForms = nullptr;     ///< HeadForms::numbers; null: tables
  const int32_t *blockOffsets = nullptr; ///< BlockTables::offsets
  const int32_t *blockColumns = nullptr; ///< BlockTables::columns
  const int32_t *rowOrder = nullptr;     ///< BlockTables::rowOrder; null: last row first
  int32_t n = 0, nq = 0, q0 = 0;
  int32_t headFirst = 0, headStep = 1; ///< head of grid.y = y: headFirst + y * headStep
  int32_t headGroup = 1;               ///< query heads per kv head
  /// Layout rows from one head's tables to the next (rows of a head), 0: shared.
  int32_t layoutStride = 0;
  int32_t formStride = 0; ///< integers from one head's row forms to the next, 0: shared
  float scale = 0;
};

enum class FieldType : uint8_t { Pointer, I64, I32, F32 };

/// One field of the argument struct, as the kernel reads it.
struct Field {
  std::string name; ///< snake_case: q_stride
  FieldType type = FieldType::Pointer;
  int count = 1; ///< array length
  int offset = 0;
};
/// The fields of AttentionArguments, in order.
const std::vector<Field> &attentionFields();

/// What a kernel does of a head that is computed as disjoint parts, one kernel after another.
struct PartRole {
  bool first = true; ///< else it goes on from prior_out and prior_lse
  bool last = true;  ///< else it leaves out in f32, and lse in units of ln 2, for the next part
  bool operator==(const PartRole &) const = default;
};

struct KernelRequest {
  std::string entry;              ///< symbol of the kernel
  Expr attend;                    ///< closed predicate, of the part
  OrderSpec queryOrder, keyOrder; ///< only their shapes are compiled in: sizes are arguments
  PartRole part;
  DType dtype = DType::BF16;
  int headDim = 64;  ///< multiples of 16, 16 .. 256
  int valueDim = 64; ///< likewise
  Block block;       ///< 0: from the target's table
  Target target;
};

struct Kernel {
  std::string entry;
  std::string code;   ///< GPU: PTX text; CPU: bytes of a shared object
  std::string object; ///< CPU: bytes of the object file that it was linked from
  Target target;
  DType dtype = DType::BF16;
  int headDim = 0, valueDim = 0;
  Block block;
  OrderSpec queryOrder, keyOrder;
  PartRole part;
  int threads = 0;     ///< of a thread block; grid = (tiles of queries, heads of the entry, batch)
  int sharedBytes = 0; ///< dynamic shared memory
  int64_t scratchBytes = 0; ///< CPU: memory that a call needs for itself, aligned to 64 bytes
  bool usesAmx = false;     ///< CPU: tile registers, for which a process needs the system's leave
  bool usesHead = false;    ///< the predicate mentions h: tables differ by head
};

/// How a CPU kernel is called: one work item of the grid that a GPU's thread block would be. Calls
/// may run at once, each with scratch memory of its own. Without a row_order x is the row itself;
/// at kSliceShift it may have the number of a slice of the row, from 1 to KernelInfo::slices.
using CpuEntry = void (*)(const AttentionArguments *arguments, int32_t x, int32_t y, int32_t z,
                          void *scratch);
/// Whether this process may use AMX's tile registers: asks Linux for them once, for all of its
/// threads. Kernels that use them may only be called after that.
bool mayUseAmx();
/// What the shared object of a CPU kernel says about it, under the name ENTRY_info.
struct KernelInfo {
  int64_t scratchBytes = 0;
  char level[24] = {}; ///< of CPU instructions
  int32_t slices = 1;  ///< that a row of blocks can be computed in, by as many calls
  int32_t reserved = 0;
};
constexpr int kSliceShift = 24;

/// Whether a kernel can take its blocks as row_forms. The widest GPU kernels have no registers left
/// for them and take tables alone.
bool takesRowForms(const Target &target, DType dtype, int valueDim);

/// Compiles one kernel. Re-entrant: kernels may be compiled from several threads.
Result<Kernel> compile(const KernelRequest &request);
/// The text of a stage: "sparsec", "tile", "llvm"; "warp" and "ptx" of a GPU, "asm" of a CPU.
Result<std::string> explain(const KernelRequest &request, const std::string &stage);
std::vector<std::string> explainStages();

/// The block that compile() would take for this request (head dims, dtype, target's shared memory).
Result<Block> chooseBlock(const KernelRequest &request);
/// The blocks that leave room for a kernel of this request, what chooseBlock() takes first; the
/// request's own where it has one.
Result<std::vector<Block>> possibleBlocks(const KernelRequest &request);

} // namespace sparsec
