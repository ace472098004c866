// The names of what a pattern is compiled to: C identifiers, and files of a folder. No two are the
// same, in upper case or lower: constants are upper-cased, and some file systems do not tell cases
// apart.
//
//   pattern p, heads a A a_1      p_a_forward  p_A_2_forward  p_a_1_forward
//                                 P_A_...      P_A_2_...      P_A_1_...
//                                 a.forward... A_2.forward... a_1.forward...
//   pattern stdint                stdint_kernels.h: where the folder is searched for headers,
//                                 <stdint.h> would be found in it
//
// Names in pattern files begin with a letter, so identifiers do; each has a suffix or a prefix, so
// none is a keyword.
#pragma once

#include <set>
#include <string>
#include <vector>

namespace sparsec::cli {

class Names {
public:
  /// `wanted`, or with _2, _3, ... after it the first for which all of `suffixes` make new names;
  /// which are taken from now on. What comes first keeps its name.
  std::string take(const std::string &wanted, const std::vector<std::string> &suffixes = {""});

private:
  std::set<std::string> taken; ///< in upper case
};

/// A name made of letters, digits and underscores.
std::string identifier(const std::string &name);
/// "window_recent" -> "WINDOW_RECENT"
std::string upperCase(const std::string &name);
/// "window.h" of a pattern.
std::string headerFile(const std::string &pattern);

} // namespace sparsec::cli
