// What to compile: the plain request of any operation (kernel/ops/), as one type.
//
//   Request request = AttentionRequest{.entry = "causal", .attend = ..., .target = ...};
//   request.operation()     "forward"
//   request.text()          everything that its code depends on: equal texts, equal kernels
//
// An operation's request is a struct with `entry`, `target` and `block` (0: open; of an operation
// without blocks always 0), a constant `kOperation`, and these functions beside it:
//
//   Result<void> checkRequest(const R &)      sizes that no kernel has
//   Needs needsOf(const R &)                  what a block must leave room for
//   std::string describeRequest(const R &)    for whoever reads the code: lines without a comment
//   sign std::string printRequest(const R &)       what is computed and in which types and sizes, a
//   line each
#pragma once

#include "kernel/Kernel.h"
#include "kernel/Needs.h"

#include <functional>

namespace sparsec {

class Request {
public:
  template <class R>
  requires requires { R::kOperation; }
  Request(R plain) : model(std::make_shared<Model<R>>(std::move(plain))) {}

  std::string_view operation() const { return model->operation(); }
  const std::string &entry() const { return model->entry(); }
  const Target &target() const { return model->target(); }
  Block block() const { return model->block(); }
  /// The same with a block.
  Request with(Block block) const { return model->with(block); }

  Result<void> check() const { return model->check(); }
  Needs needs() const { return model->needs(); }
  std::string describe() const { return model->describe(); }
  /// The whole request: operation, entry, target and its limits, block, and what it computes.
  std::string text() const;

  /// The plain request; null of another operation.
  template <class R>
  const R *as() const {
    auto *own = dynamic_cast<const Model<R> *>(model.get());
    return own ? &own->plain : nullptr;
  }

private:
  struct Concept {
    virtual ~Concept() = default;
    virtual std::string_view operation() const = 0;
    virtual const std::string &entry() const = 0;
    virtual const Target &target() const = 0;
    virtual Block block() const = 0;
    virtual Request with(Block block) const = 0;
    virtual Result<void> check() const = 0;
    virtual Needs needs() const = 0;
    virtual std::string describe() const = 0;
    virtual std::string print() const = 0;
  };
  template <class R>
  struct Model : Concept {
    explicit Model(R plain) : plain(std::move(plain)) {}
    std::string_view operation() const override { return R::kOperation; }
    const std::string &entry() const override { return plain.entry; }
    const Target &target() const override { return plain.target; }
    Block block() const override { return plain.block; }
    Request with(Block block) const override {
      R changed = plain;
      changed.block = block;
      return Request(std::move(changed));
    }
    // By argument-dependent lookup: the functions beside the request's type.
    Result<void> check() const override { return checkRequest(plain); }
    Needs needs() const override { return needsOf(plain); }
    std::string describe() const override { return describeRequest(plain); }
    std::string print() const override { return printRequest(plain); }
    R plain;
  };
  std::shared_ptr<const Concept> model;
};

/// A compiler, as runtime/ and tools/ take it: the kernels of a request in the order they run.
using CompileFunction = std::function<Result<std::vector<Kernel>>(const Request &)>;

/// The only kernel of an operation that has one; else a bug.
Result<Kernel> single(Result<std::vector<Kernel>> kernels);

} // namespace sparsec
