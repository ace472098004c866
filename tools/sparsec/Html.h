// One page of HTML that needs nothing beside itself: pictures and sound are inside, links lead to
// its own headings.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sparsec::cli {

class HtmlPage {
public:
  explicit HtmlPage(std::string title) : title(std::move(title)) {}

  void heading(const std::string &text); ///< a section, listed at the top
  void paragraph(const std::string &text);
  void preformatted(const std::string &text);
  /// The first row is the head; columns after the first are numbers.
  void table(const std::vector<std::vector<std::string>> &rows);
  void picture(std::string_view png, const std::string &caption);
  void sound(std::string_view wav, const std::string &caption);
  std::string whole() const;

private:
  std::string title, contents, body;
  int headings = 0;
};

} // namespace sparsec::cli
