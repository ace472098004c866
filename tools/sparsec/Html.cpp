#include "tools/sparsec/Html.h"

#include <cstdint>
#include <fmt/format.h>

namespace sparsec::cli {

namespace {

constexpr const char *kStyle = R"(
  body { font: 15px/1.5 system-ui, sans-serif; color: #1f2933; max-width: 1000px; margin: 2em auto; padding: 0 1em }
  h1 { font-size: 1.6em } h2 { font-size: 1.2em; margin-top: 2em; border-bottom: 1px solid #d9dee4 }
  table { border-collapse: collapse; margin: 1em 0 } th, td { padding: .2em .8em; text-align: right; border-bottom: 1px solid #edf0f4 }
  th:first-child, td:first-child { text-align: left } th { color: #7b8794; font-weight: 600 }
  pre { background: #f5f7fa; padding: .8em; overflow-x: auto; white-space: pre-wrap }
  figure { margin: 1em 0 } figcaption { color: #7b8794 } img { max-width: 100%; image-rendering: pixelated }
  nav a { margin-right: 1em; color: #1f5fa8 }
)";

std::string escaped(std::string_view text) {
  std::string out;
  for (char c : text)
    switch (c) {
    case '&':
      out += "&amp;";
      break;
    case '<':
      out += "&lt;";
      break;
    case '>':
      out += "&gt;";
      break;
    case '"':
      out += "&quot;";
      break;
    default:
      if (static_cast<unsigned char>(c) >= 0x20 || c == '\n' || c == '\t')
        out += c;
      else
        out += "\xEF\xBF\xBD"; // no control character may stand in a page
    }
  return out;
}

std::string base64(std::string_view bytes) {
  constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t group = 0;
    for (size_t j = 0; j < 3; ++j)
      group = group << 8 | (i + j < bytes.size() ? static_cast<unsigned char>(bytes[i + j]) : 0);
    for (size_t j = 0; j < 4; ++j)
      out += i + j <= bytes.size() ? kDigits[group >> (18 - 6 * j) & 63] : '=';
  }
  return out;
}

} // namespace

void HtmlPage::heading(const std::string &text) {
  ++headings;
  contents += fmt::format("<a href=\"#part{}\">{}</a>\n", headings, escaped(text));
  body += fmt::format("<h2 id=\"part{}\">{}</h2>\n", headings, escaped(text));
}

void HtmlPage::paragraph(const std::string &text) {
  body += fmt::format("<p>{}</p>\n", escaped(text));
}

void HtmlPage::preformatted(const std::string &text) {
  body += fmt::format("<pre>{}</pre>\n", escaped(text));
}

void HtmlPage::table(const std::vector<std::vector<std::string>> &rows) {
  body += "<table>\n";
  for (size_t i = 0; i < rows.size(); ++i) {
    const char *cell = i == 0 ? "th" : "td";
    body += "<tr>";
    for (const std::string &each : rows[i])
      body += fmt::format("<{0}>{1}</{0}>", cell, escaped(each));
    body += "</tr>\n";
  }
  body += "</table>\n";
}

void HtmlPage::picture(std::string_view png, const std::string &caption) {
  body += fmt::format("<figure><img alt=\"{0}\" src=\"data:image/png;base64,{1}\">"
                      "<figcaption>{0}</figcaption></figure>\n",
                      escaped(caption), base64(png));
}

void HtmlPage::sound(std::string_view wav, const std::string &caption) {
  body += fmt::format("<figure><audio controls src=\"data:audio/wav;base64,{1}\"></audio>"
                      "<figcaption>{0}</figcaption></figure>\n",
                      escaped(caption), base64(wav));
}

std::string HtmlPage::whole() const {
  return fmt::format("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                     "<title>{0}</title>\n<style>{1}</style>\n</head>\n<body>\n<h1>{0}</h1>\n"
                     "<nav>\n{2}</nav>\n{3}</body>\n</html>\n",
                     escaped(title), kStyle, contents, body);
}

} // namespace sparsec::cli
