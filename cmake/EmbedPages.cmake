# Writes OUTPUT, a C++ file that holds the pages and schemas of tools/sparsec/HelpPages.h.
# cmake -DOUTPUT=... "-DPAGES=name=file;..." "-DSCHEMAS=name=file;..." -P EmbedPages.cmake
function(embed function entries result)
  set(rows "")
  string(REPLACE "," ";" entries "${entries}")
  foreach(entry ${entries})
    string(FIND ${entry} "=" sign)
    string(SUBSTRING ${entry} 0 ${sign} name)
    math(EXPR sign "${sign} + 1")
    string(SUBSTRING ${entry} ${sign} -1 file)
    file(READ ${file} text)
    string(APPEND rows "    {\"${name}\", R\"page(${text})page\"},\n")
  endforeach()
  set(${result} "std::span<const EmbeddedText> ${function}() {
  static constexpr EmbeddedText texts[] = {
${rows}  };
  return texts;
}
" PARENT_SCOPE)
endfunction()
embed(helpPages "${PAGES}" pages)
embed(schemas "${SCHEMAS}" schemas)
file(WRITE ${OUTPUT} "// Made by EmbedPages.cmake.
#include \"tools/sparsec/HelpPages.h\"

namespace sparsec::cli {

${pages}
${schemas}
} // namespace sparsec::cli
")
