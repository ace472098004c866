// Embedding and the gradients of its tables as calls (kernel/ops/Embedding.h says what is
// computed).
//
//   Embedding::load(device, kernels, request, {{index of "t // 32", 32}, {index of "t % 32", 32}})
//   EmbeddingGradient::load(device, kernels, request)                 of tokens: any row, any time
//   EmbeddingGradient::load(device, kernels, request, index)          of a position table
//
// What depends on the lengths alone, indices and block lists, is worked out and uploaded when a
// call of other lengths comes, or prepare() says so before. Results repeat bit for bit.
//
// Refused, as input errors that name the argument: an index that is no row of its table; gradients
// of no positions at all; sequences of dx that are no whole number of its rows apart, where tokens
// are sorted; memory that is missing, misaligned or too small; rows of dx, of tables
// and of x that are no multiple of 16 bytes apart where slabs divide the request's columns.
#pragma once

#include "kernel/ops/Embedding.h"
#include "patterns/PositionIndex.h"
#include "runtime/Buffer.h"
#include "runtime/Launch.h"
#include "runtime/SegmentGradient.h"
#include "runtime/Tensor.h"
#include "runtime/UploadedNumbers.h"
#include "runtime/Workspace.h"

namespace sparsec {

/// Rows of a table and which of them a position takes.
struct PositionTable {
  Expr index; ///< parseIndex()
  int64_t rows = 0;
};

struct EmbeddingCall {
  int64_t batch = 1, n = 0;      ///< sequences, positions of each
  int64_t classes = 0;           ///< rows of the token table
  Tensor tokens;                 ///< [batch, n] of the request's type: stride[0]
  Tensor table;                  ///< [classes, columns]: stride[2] is that of rows
  std::vector<Tensor> positions; ///< [rows, columns] each
  Tensor x;                      ///< [batch, n, columns]: stride[0] and stride[2]
};

/// A kernel that is loaded, and where it takes its arguments.
struct EmbeddingKernel {
  Kernel kernel;
  std::unique_ptr<Executable> executable;
  static Result<EmbeddingKernel> load(Device &device, Kernel kernel);
  Slot slot(std::string_view name) const { return Slot(kernel.signature, name); }
  ViewSlot view(const std::string &name) const { return ViewSlot(kernel.signature, name); }
};

/// Must not outlive the device.
class Embedding {
public:
  static Result<Embedding> load(Device &device, std::vector<Kernel> kernels,
                                const EmbeddingRequest &request,
                                std::vector<PositionTable> positions);
  /// For sequences of n positions.
  Result<void> prepare(int64_t n);
  /// Enqueues a launch, none when there is nothing to compute.
  Result<void> launch(const EmbeddingCall &call);
  /// In device memory.
  size_t residentBytes() const { return indices.heldBytes(); }

private:
  Result<void> check(const EmbeddingCall &call) const;

  Device *device = nullptr;
  EmbeddingRequest request;
  std::vector<PositionTable> positions;
  EmbeddingKernel forward;
  Buffer indices; ///< [position tables, n] i32
  int64_t readyFor = -1;
};

struct EmbeddingGradientCall {
  int64_t batch = 1, n = 0;
  int64_t rows = 0;        ///< of the table
  Tensor index;            ///< [batch, n]: stride[0]; of a position table not used
  Tensor dx;               ///< [batch, n, columns]: stride[0] and stride[2]
  Tensor gradient;         ///< [rows, columns] f32: stride[2]
  bool accumulate = false; ///< onto what it holds; else it is written
  Tensor workspace;        ///< of workspaceBytes(); address 0: the object's own
};

/// Of one table. Must not outlive the device.
class EmbeddingGradient {
public:
  /// `index`: of a position table; none: of tokens, which alone may be sorted.
  static Result<EmbeddingGradient> load(Device &device, std::vector<Kernel> kernels,
                                        const EmbeddingGradientRequest &request,
                                        std::optional<Expr> index = {});
  Result<void> prepare(int64_t batch, int64_t n, int64_t rows);
  /// Partial sums of a call of the lengths that are prepared: [parts, rows, columns] in f32, or
  /// what SegmentGradient keeps.
  size_t workspaceBytes(bool accumulates) const;
  /// In device memory, for the lengths that are prepared.
  size_t residentBytes() const { return indices.heldBytes() + numbers.bytes(); }
  /// Enqueues the launches.
  Result<void> launch(const EmbeddingGradientCall &call);

private:
  struct Lengths {
    int64_t batch = 0, n = 0, rows = 0;
    bool operator==(const Lengths &) const = default;
  };
  Result<void> check(const EmbeddingGradientCall &call) const;
  Result<void> fold(const EmbeddingGradientCall &call, const Tensor &sums);
  Result<void> sum(const EmbeddingGradientCall &call, const Tensor &from);

  Device *device = nullptr;
  EmbeddingGradientRequest request;
  std::optional<Expr> index;
  EmbeddingKernel folds, sums;
  std::optional<SegmentGradient> segments; ///< in their place, where the request says so
  std::optional<Lengths> ready;
  UploadedNumbers numbers;
  Buffer indices; ///< [n] i32, of a position table
  Workspace workspace;
  int64_t parts = 0;
};

} // namespace sparsec
