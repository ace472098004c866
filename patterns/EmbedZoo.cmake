# Writes OUTPUT, a C++ file that holds the text of every pattern of the zoo.
# cmake -DOUTPUT=... -DZOO=folder -P EmbedZoo.cmake
file(GLOB files ${ZOO}/*.yaml)
list(SORT files)
set(rows "")
foreach(file ${files})
  get_filename_component(name ${file} NAME_WE)
  file(READ ${file} text)
  string(APPEND rows "    {\"${name}\", R\"zoo(${text})zoo\"},\n")
endforeach()
set(content "// Made from patterns/zoo by EmbedZoo.cmake.
#include \"patterns/Zoo.h\"

namespace sparsec {

const std::vector<ZooEntry> &zooEntries() {
  static const std::vector<ZooEntry> entries = {
${rows}  };
  return entries;
}

} // namespace sparsec
")
file(WRITE ${OUTPUT} "${content}")
