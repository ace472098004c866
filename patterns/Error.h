// What goes wrong, said once: an error with its place in a text, and Result<T>, a value or an
// error.
//
//   strided.yaml:7:24: error: expected ')' to close the call, found end of line
//       attend: causal and every(l
//                               ^
//
// Every refusal in sparsec is an Error that travels back to main() as a value; nothing below tools/
// prints or exits. Functions that can fail return Result<T> and are [[nodiscard]].
#pragma once

#include <cassert>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace sparsec {

/// Who has to act; main() turns it into the exit code.
enum class ErrorKind {
  Input,    ///< what the user gave is wrong: exit 1
  Machine,  ///< this machine cannot (device, ptxas, memory, disk): exit 3
  Internal, ///< a bug of ours, with what to report: exit 70
};

/// A named text that errors can point into.
struct SourceText {
  std::string name; ///< as the user gave it: a path, "<stdin>", "-e", "zoo/strided.yaml"
  std::string text;
};

/// Where in a text: 1-based line and column (columns count bytes), and how many bytes to underline.
struct SourceRange {
  std::shared_ptr<const SourceText> source;
  int line = 0;
  int column = 0;
  int length = 1;
};

/// Turns byte offsets of a text into places.
class SourceLines {
public:
  explicit SourceLines(std::shared_ptr<const SourceText> source);

  /// `length` bytes at `offset`, which may be the end of the text.
  SourceRange at(size_t offset, int length) const;
  /// The offset of a 1-based line and column, cut to the text.
  size_t offsetOf(int line, int column) const;
  std::string_view text() const { return source->text; }

private:
  std::shared_ptr<const SourceText> source;
  std::vector<size_t> starts; ///< of the lines
};

/// 'text' for a message: cut when it is long, control characters as '?'.
std::string quote(std::string_view text);

struct Error {
  ErrorKind kind = ErrorKind::Input;
  std::string message; ///< what was expected and what was found; no trailing full stop
  std::optional<SourceRange> where;
  std::vector<std::string> notes; ///< each printed as "note: ..." below

  /// The whole text for a terminal: "file:line:column: error: message", the line (of a long one the
  /// part around the caret), a caret, the notes.
  std::string render() const;
  /// The same as a warning.
  std::string renderWarning() const;

private:
  std::string renderAs(std::string_view what) const;
};

inline Error inputError(std::string message, std::optional<SourceRange> where = {}) {
  return {ErrorKind::Input, std::move(message), std::move(where), {}};
}
inline Error machineError(std::string message) {
  return {ErrorKind::Machine, std::move(message), {}, {}};
}
inline Error internalError(std::string message) {
  return {ErrorKind::Internal, std::move(message), {}, {}};
}

/// A T, or the Error that says why there is none.
template <class T>
class [[nodiscard]] Result {
public:
  Result(T value) : state(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state(std::in_place_index<1>, std::move(error)) {}

  explicit operator bool() const { return state.index() == 0; }
  T &operator*() & { return value(); }
  const T &operator*() const & { return value(); }
  T &&operator*() && { return std::move(value()); }
  T *operator->() { return &value(); }
  const T *operator->() const { return &value(); }
  const Error &error() const {
    assert(state.index() == 1);
    return std::get<1>(state);
  }

private:
  T &value() {
    assert(state.index() == 0);
    return std::get<0>(state);
  }
  const T &value() const {
    assert(state.index() == 0);
    return std::get<0>(state);
  }
  std::variant<T, Error> state;
};

/// Success, or the Error that says why not.
template <>
class [[nodiscard]] Result<void> {
public:
  Result() = default;
  Result(Error error) : failure(std::move(error)) {}

  explicit operator bool() const { return !failure; }
  const Error &error() const {
    assert(failure);
    return *failure;
  }

private:
  std::optional<Error> failure;
};

} // namespace sparsec
