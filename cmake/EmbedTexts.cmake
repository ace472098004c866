# Writes OUTPUT, a C++ file that holds the text of every YAML file of a folder, as FUNCTION().
# cmake -DOUTPUT=... -DFOLDER=folder -DFUNCTION=zooEntries -P EmbedTexts.cmake
file(GLOB files ${FOLDER}/*.yaml)
list(SORT files)
set(rows "")
foreach(file ${files})
  get_filename_component(name ${file} NAME_WE)
  file(READ ${file} text)
  string(APPEND rows "    {\"${name}\", R\"zoo(${text})zoo\"},\n")
endforeach()
get_filename_component(folder ${FOLDER} NAME)
set(content "// Made from the folder ${folder} by EmbedTexts.cmake.
#include \"patterns/Zoo.h\"

namespace sparsec {

const std::vector<ZooEntry> &${FUNCTION}() {
  static const std::vector<ZooEntry> entries = {
${rows}  };
  return entries;
}

} // namespace sparsec
")
file(WRITE ${OUTPUT} "${content}")
