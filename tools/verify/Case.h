// One run of an operation that can be checked, and which runs a command line asks for. Each
// operation has a plain struct of its own (ops/<op>/Case.h); a VerifyCase is any of them:
//
//   VerifyCase c = ForwardCase{.dtype = DType::BF16, .headDim = 64, .n = 200, .nq = 77};
//   c.operation()     "forward"
//   c.text()          "bf16, head dim 64, n 200, nq 77, 2 x 4 heads (2 kv), BSHD"
//   c.sizes()         head_dim 64, value_dim 64, n 200, nq 77
//
// An operation's case is a struct with `dtype`, `runs` (2: the second has to give the same bits), a
// constant `kOperation`, and these functions beside it:
//
//   std::string describe(const C &)
//   std::vector<NamedSize> sizesOf(const C &)      what reports give fields of their own
#pragma once

#include "kernel/DType.h"
#include "patterns/Pattern.h"

#include <memory>
#include <string>
#include <vector>

namespace sparsec {

struct NamedSize {
  std::string_view name;
  int64_t value = 0;
};

class VerifyCase {
public:
  template <class C>
  requires requires { C::kOperation; }
  VerifyCase(C plain) : model(std::make_shared<Model<C>>(std::move(plain))) {}

  std::string_view operation() const { return model->operation(); }
  DType dtype() const { return model->dtype(); }
  int runs() const { return model->runs(); }
  std::string text() const { return model->text(); }
  std::vector<NamedSize> sizes() const { return model->sizes(); }

  /// The plain case; null of another operation.
  template <class C>
  const C *as() const {
    auto *own = dynamic_cast<const Model<C> *>(model.get());
    return own ? &own->plain : nullptr;
  }

private:
  struct Concept {
    virtual ~Concept() = default;
    virtual std::string_view operation() const = 0;
    virtual DType dtype() const = 0;
    virtual int runs() const = 0;
    virtual std::string text() const = 0;
    virtual std::vector<NamedSize> sizes() const = 0;
  };
  template <class C>
  struct Model : Concept {
    explicit Model(C plain) : plain(std::move(plain)) {}
    std::string_view operation() const override { return C::kOperation; }
    DType dtype() const override { return plain.dtype; }
    int runs() const override { return plain.runs; }
    // By argument-dependent lookup: the functions beside the case's type.
    std::string text() const override { return describe(plain); }
    std::vector<NamedSize> sizes() const override { return sizesOf(plain); }
    C plain;
  };
  std::shared_ptr<const Concept> model;
};

/// Which cases are wanted, and what a command line says about them. An operation takes of it what
/// it has.
struct CaseFlags {
  enum class Set : uint8_t {
    Default, ///< a few that touch every type and every kind of size: seconds on the simulator
    Full,    ///< every type with every kind of size
    One,     ///< of the sizes below: plain, and the sharp ones (see sharpCases() of forward)
  };
  Set set = Set::Default;
  uint64_t seed = 0; ///< added to that of each case
  std::optional<int64_t>
      n; ///< of all cases: the only length that a pattern holds for, or asked for
  std::optional<int64_t> nq, q0; ///< likewise, of the queries (n, n - nq)
  // Set::One.
  DType dtype = DType::BF16;
  int headDim = 64, valueDim = 64;
  int64_t heads = 1, kvHeads = 1;
  bool headsAsked = false;              ///< else sharp cases have two of each entry
  bool valueDimAsked = false;           ///< else some have another than the head dim
  std::optional<int64_t> rows, columns; ///< of operations on matrices
  Block block;                          ///< 0: chosen by the compiler
};

} // namespace sparsec
