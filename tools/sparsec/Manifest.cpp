#include "tools/sparsec/Manifest.h"

#include "tools/sparsec/ArgumentStructs.h"
#include "tools/sparsec/HostHeader.h"
#include "tools/sparsec/Version.h"

#include <algorithm>
#include <fmt/core.h>
#include <llvm/ADT/StringExtras.h>
#include <llvm/Support/SHA256.h>

namespace sparsec::cli {
namespace {

using Json = nlohmann::ordered_json;

std::string sha256(const std::string &text) {
  auto bytes = llvm::SHA256::hash(llvm::arrayRefFromStringRef(text));
  return llvm::toHex(bytes, /*LowerCase=*/true);
}

ArgumentStructs structsOf(const Build &build) {
  std::vector<const Kernel *> kernels;
  for (const BuiltKernel &each : build.kernels())
    kernels.push_back(&each.kernel);
  return ArgumentStructs(kernels);
}

Json arguments(const Kernel &kernel, const ArgumentStructs &structs) {
  Json fields = Json::array();
  for (const Field &field : kernel.signature.fields())
    fields.push_back({{"name", field.name},
                      {"type", name(field.type)},
                      {"count", field.count},
                      {"offset", field.offset}});
  return {
      {"struct", structs.nameOf(kernel)}, {"size", kernel.signature.bytes()}, {"fields", fields}};
}

Json patternJson(const LoadedPattern &loaded) {
  std::string resolved = print(loaded.pattern);
  return {{"name", loaded.pattern.name},
          {"source", loaded.source->text},
          {"params", loaded.pattern.params},
          {"resolved", resolved},
          {"sha256", sha256(resolved)}};
}

Json blockJson(const Block &block) {
  return {{"q", block.q}, {"k", block.k}};
}

Json cubinJson(const BuiltRequest &built) {
  const AssembleReport &report = built.cubin->report;
  return {{"file", built.cubinFile()},
          {"assembler", built.cubin->assembler},
          {"registers", report.registers},
          {"stack_bytes", report.stack},
          {"spill_store_bytes", report.spillStores},
          {"spill_load_bytes", report.spillLoads},
          {"static_shared_bytes", report.shared},
          {"warnings", report.warnings},
          {"concerns", report.concerns}};
}

Json gridJson(const Grid &grid) {
  std::string text = print(grid); // "rows of queries, tile 64, ..."
  return {{"work", text.substr(0, text.find(','))},
          {"tile", grid.tile},
          {"heads_per_y", grid.headsPerY},
          {"longest", grid.longest == Grid::Longest::Last ? "last" : "first"},
          {"order", grid.order}};
}

Json kernelJson(const BuiltKernel &each, DType dtype, const ArgumentStructs &structs) {
  const auto &[built, kernel] = each;
  const PlannedRequest &request = *built.plan;
  Json out = {{"entry", kernel.entry},
              {"operation", kernel.operation},
              {"pass", request.pass->name},
              {"part", request.part},
              {"parts", request.parts},
              {"pattern_heads", request.entries},
              {"target", kernel.target.name},
              {built.isHost() ? "shared_object" : "ptx", built.codeFile()},
              {"block", blockJson(kernel.block)},
              {"grid", gridJson(kernel.grid)},
              {"arguments", arguments(kernel, structs)},
              {"uses_head", request.usesHead()},
              {"attend", print(request.attend)},
              {"query_order", print(request.queryOrder)},
              {"key_order", print(request.keyOrder)},
              {"reads_prior", !request.role.first}};
  if (const Field *field = kernel.signature.find("out"); field && field->written)
    out["out_dtype"] = name(request.role.last ? dtype : DType::F32);
  if (built.isHost()) {
    out["object"] = built.objectFile();
    out["scratch_bytes"] = kernel.scratchBytes;
    out["uses_amx"] = kernel.usesAmx;
  } else {
    out["threads"] = kernel.threads;
    out["shared_bytes"] = kernel.sharedBytes;
  }
  if (built.cubin)
    out["cubin"] = cubinJson(built);
  return out;
}

/// The kernels of an entry, by target and operation, as indices, in the order they run.
Json kernelsOfEntry(const Build &build, int entry) {
  Json targets = Json::object();
  std::vector<BuiltKernel> kernels = build.kernels();
  for (size_t i = 0; i < kernels.size(); ++i) {
    const auto &[built, kernel] = kernels[i];
    if (std::ranges::find(built.plan->entries, entry) != built.plan->entries.end())
      targets[kernel.target.name][kernel.operation].push_back(i);
  }
  return targets;
}

/// Adds the heads of the model.
void addHeads(Json &object, const Heads &heads) {
  object["head_first"] = heads.first;
  object["head_step"] = heads.step;
  object["head_count"] = heads.count;
}

/// The pattern's entries; the heads that use each only where all layers are alike, so that whoever
/// looks for them there does not take one layer for all.
Json headsJson(const Build &build) {
  const LoadedPattern &loaded = build.plan->loaded;
  Json heads = Json::array();
  for (size_t i = 0; i < loaded.pattern.heads.size(); ++i)
    heads.push_back({{"name", loaded.pattern.heads[i].name},
                     {"attend", print(loaded.pattern.heads[i].attend)},
                     {"kernels", kernelsOfEntry(build, static_cast<int>(i))}});
  if (loaded.pattern.layers.empty())
    for (const EntryUse &use : usesOf(loaded.layers[0], loaded.heads))
      addHeads(heads[use.entry], use.heads);
  return heads;
}

Json layersJson(const LoadedPattern &loaded) {
  Json layers = Json::array();
  for (const Layer &layer : loaded.layers) {
    Json heads = Json::array();
    for (const EntryUse &use : usesOf(layer, loaded.heads)) {
      Json head = {{"pattern_head", use.entry}};
      addHeads(head, use.heads);
      heads.push_back(std::move(head));
    }
    layers.push_back({{"indices", layer.indices}, {"heads", heads}});
  }
  return layers;
}

Json launchJson(const Build &build, const BuiltLaunch &each, const BuiltKernel &kernel,
                size_t index) {
  const BuiltNumbers &built = build.numbers[each.numbers];
  const LaunchNumbers &numbers = built.numbers;
  Json launch = {{"layer", each.layer}, {"pattern_head", each.use.entry}, {"kernel", index}};
  addHeads(launch, each.use.heads);
  LaunchGrid grid = gridOf(build, each, kernel.kernel);
  launch[grid.name] = grid.x;
  launch["grid"] = {grid.x, grid.y};
  launch["layout_stride"] = numbers.rowsPerHead;
  launch["form_stride"] = numbers.forms ? numbers.forms->stride : 0;
  for (const auto &[name, value, counts] : each.fields)
    if (kernel.takes(name))
      launch[name] = value;
  for (const auto &[key, array] : built.files(kernel.kernel))
    launch[key] = fmt::format("{}.{}.i32", built.stem, key);
  if (!each.groups.empty())
    launch["groups"] = each.groupsFile;
  if (each.groupHeads)
    launch["group_heads"] = each.groupHeads;
  return launch;
}

Json layoutJson(const Build &build) {
  Json launches = Json::array(), workspaces = Json::object();
  std::vector<size_t> firstOf; // of the kernels of each request
  for (size_t count = 0; const BuiltRequest &built : build.requests) {
    firstOf.push_back(count);
    count += built.kernels.size();
  }
  for (const BuiltLaunch &each : build.launches)
    for (size_t index = firstOf[each.request];
         const Kernel &kernel : build.requests[each.request].kernels)
      launches.push_back(launchJson(build, each, {build.requests[each.request], kernel}, index++));
  for (const auto &[field, heads, rows, columns] : build.workspaces())
    workspaces[field] = {{"heads", heads}, {"rows", rows}, {"columns", columns}};
  return {{"n", build.at->n},
          {"nq", build.at->nq},
          {"q0", build.at->q0},
          {"launches", launches},
          {"workspaces", workspaces}};
}

constexpr char kHeaderTop[] =
    R"(/* {name}: block-sparse attention kernels, made by sparsec {version}.
 *
 * Every kernel takes one struct of its own: on a GPU by value, on the CPU by address.
 * Pointers are addresses of the device; strides are in elements and the last dimension is
 * contiguous; addresses and strides of tensors of [rows, dim] are multiples of 16 bytes. Launch
 * with
 *
 *   grid  = (tiles of queries, heads that use the kernel, batch)
 *   block = (THREADS, 1, 1), with SHARED_BYTES of dynamic shared memory
 *
 * On the CPU, call the kernel's function for each place (x, y, z) of the grid.
 *
 * In natural order the tiles are ceil(nq / BLOCK_Q). PARTS says how many parts a head is computed
 * in, each launched after the one before: more than 1 have names that end in _part1, _part2, ...
 * manifest.json says which heads use which kernels and what each launch needs beside the tensors.
{operations} */
)";

constexpr char kHeaderOfBackward[] =
    R"( *
 * Backward: dq, dk and dv from q, k, v, dout and what forward left in out and lse.
 *
 *   1. For each part of _backward: its _delta, which the first part alone has, then its _dq, on the
 *      grid of forward. They leave delta, [batch, heads, nq] in f32, and dq. dlse, the gradient of
 *      lse, may be null; dlse_rows is nq where it is given, else 0.
 *   2. For each part of _backward_dkv: grid = (KEY_TILES, GROUP_COUNT, batch), or in natural order
 *      ceil(n / BLOCK_K) tiles. It leaves dk and dv of the kv heads in its GROUPS.
 *
 * dq_sums, dk_sums and dv_sums are f32 memory in which launches meet: where N is known,
 * DELTA_FLOATS, DQ_SUMS_FLOATS and so on say how many floats a sequence of the batch takes. Where
 * that is 0 they may be null.
)";

constexpr char kHeaderOfDecode[] =
    R"( *
 * Decode: nq new queries of each sequence at its last positions, over keys and values of up to MOST
 * rows; lengths in device memory says how many each sequence has.
 *
 *   1. For each part of _decode: grid = (ITEMS * batch * nq, 1, 1), and so many is `items`. What it
 *      leaves of its SLICES lies in part_out, part_max and part_sum, [SLOTS, batch * GROUP_COUNT *
 *      nq, GROUP_HEADS] rows of them, from slot FIRST_SLOT on; of which PART_OUT_FLOATS and so on
 *      say how many floats a query of a sequence takes. Where WHOLE is 1 it leaves out and lse.
 *   2. Else its _decode_merge, likewise.
)";

constexpr char kHeaderOfMass[] =
    R"( *
 * Mass: grid = (ITEMS * batch, 1, 1), and so many is `items`. It leaves in mass and squares, [batch,
 * PER_BATCH] in f32, the sums of the attention weights of each of BLOCKS and of their squares.
)";

/// What is said of the operations that have kernels here.
std::string operationTexts(const Build &build) {
  std::string text;
  for (auto [operation, about] : {std::pair{"backward", kHeaderOfBackward},
                                  {"decode", kHeaderOfDecode},
                                  {"mass", kHeaderOfMass}})
    if (std::ranges::any_of(build.plan->requests, [&](const PlannedRequest &request) {
          return request.request.operation() == operation;
        }))
      text += about;
  return text;
}

constexpr char kHeaderIncludes[] = R"(
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define SPARSEC_ASSERT(what) static_assert(what, #what)
#define SPARSEC_ALIGNED(bytes) alignas(bytes)
#else
#define SPARSEC_ASSERT(what) _Static_assert(what, #what)
#define SPARSEC_ALIGNED(bytes) _Alignas(bytes)
#endif
)";

std::string kernelConstants(const BuiltKernel &each, const ArgumentStructs &structs,
                            Defines &defines) {
  const auto &[built, kernel] = each;
  std::string declared = structs.declare(kernel);
  if (built.isHost())
    return declared + hostDeclaration(each, structs.nameOf(kernel), defines);
  return declared + fmt::format("\n/* {} */\n", built.codeFile()) +
         defines.write(constantPrefix(kernel.entry, kernel.target),
                       {{"ENTRY", fmt::format("\"{}\"", kernel.entry)},
                        {"BLOCK_Q", kernel.block.q},
                        {"BLOCK_K", kernel.block.k},
                        {"THREADS", kernel.threads},
                        {"SHARED_BYTES", kernel.sharedBytes}});
}

} // namespace

std::vector<std::pair<std::string, const std::vector<int32_t> *>>
BuiltNumbers::files(const Kernel &kernel) const {
  const BlockTables &tables = numbers.tables.tables;
  std::vector<std::pair<std::string, const std::vector<int32_t> *>> list;
  auto add = [&](const char *key, const std::vector<int32_t> &values) {
    if (!values.empty() && kernel.signature.find(key))
      list.emplace_back(key, &values);
  };
  add("query_order", numbers.queryOrder);
  add("key_order", numbers.keyOrder);
  add("blocks", numbers.blocks);
  if (numbers.forms) {
    add("row_forms", numbers.forms->numbers);
    return list;
  }
  add("block_offsets", tables.offsets);
  add("block_columns", tables.columns);
  add("row_order", tables.rowOrder);
  return list;
}

std::vector<BuiltKernel> Build::kernels() const {
  std::vector<BuiltKernel> list;
  for (const BuiltRequest &built : requests)
    for (const Kernel &kernel : built.kernels)
      list.push_back({built, kernel});
  return list;
}

/// Of one launch of a pass.
static BuiltWorkspace workspaceOf(const Build &build, const BuiltLaunch &launch,
                                  const Workspace &each) {
  const Plan &plan = *build.plan;
  using enum Workspace::Columns;
  BuiltWorkspace made{.field = std::string(each.field),
                      .columns = each.columns == One       ? 1
                                 : each.columns == HeadDim ? plan.headDim
                                                           : plan.valueDim};
  if (each.rows == PassWork::Positions) {
    made.heads = launch.groupCount * launch.groupHeads;
    made.rows = launch.slots;
  } else {
    bool ofKeys = each.rows == PassWork::Keys;
    made.heads = ofKeys ? plan.loaded.kvHeads : plan.loaded.heads;
    made.rows = ofKeys ? build.at->n : build.at->nq;
  }
  return made;
}

std::vector<BuiltWorkspace> Build::workspaces() const {
  std::vector<BuiltWorkspace> list;
  for (const PatternPass &pass : patternPasses())
    for (const Workspace &each : pass.workspaces) {
      std::optional<BuiltWorkspace> most; // launches run in turn
      for (const BuiltLaunch &launch : launches) {
        bool used =
            launch.meets && plan->requests[launch.request].pass == &pass &&
            std::ranges::any_of(requests[launch.request].kernels, [&](const Kernel &kernel) {
              return kernel.signature.find(each.field) != nullptr;
            });
        if (!used)
          continue;
        BuiltWorkspace one = workspaceOf(*this, launch, each);
        if (!most)
          most = one;
        most->heads = std::max(most->heads, one.heads);
        most->rows = std::max(most->rows, one.rows);
      }
      if (most)
        list.push_back(*most);
    }
  return list;
}

LaunchGrid gridOf(const Build &build, const BuiltLaunch &launch, const Kernel &kernel) {
  if (kernel.grid.work == Grid::Work::Range) {
    LaunchGrid grid{.name = "items", .x = 1};
    for (const auto &[name, value, counts] : launch.fields)
      if (counts && kernel.signature.find(name))
        grid.x *= value;
    // What is whole needs no merge.
    bool merges = kernel.signature.find("slots") != nullptr;
    return merges && !launch.meets ? LaunchGrid{.name = "items"} : grid;
  }
  bool ofKeys = kernel.grid.axis == Grid::Axis::Keys;
  return {ofKeys ? "key_tiles" : "query_tiles", build.numbers[launch.numbers].numbers.rowTiles,
          ofKeys ? launch.groupCount : launch.use.heads.count};
}

Json manifest(const Build &build) {
  const LoadedPattern &loaded = build.plan->loaded;
  const Plan &plan = *build.plan;
  Json kernels = Json::array();
  ArgumentStructs structs = structsOf(build);
  for (const BuiltKernel &each : build.kernels())
    kernels.push_back(kernelJson(each, plan.dtype, structs));
  Json out = {
      {"format", 3},
      {"versions", {{"sparsec", kVersion}, {"llvm", kLlvmVersion}}},
      {"pattern", patternJson(loaded)},
      {"dtype", name(plan.dtype)},
      {"head_dim", plan.headDim},
      {"value_dim", plan.valueDim},
      {"heads", loaded.heads},
      {"kv_heads", loaded.kvHeads},
      {"grid",
       {{"x", "query_tiles, key_tiles; ceil(nq / block.q), ceil(n / block.k) in natural order"},
        {"y", "head_count of the pattern head in the layer; over keys, the groups"},
        {"z", "batch"}}},
      {"pattern_heads", headsJson(build)},
      {"layer_count", loaded.layers[0].of},
      {"layers", layersJson(loaded)},
      {"kernels", kernels}};
  if (build.at)
    out["layout"] = layoutJson(build);
  return out;
}

std::string cHeader(const Build &build) {
  std::string guard = "SPARSEC_KERNELS_" + upperCase(identifier(build.plan->loaded.pattern.name));
  std::string text =
      fmt::format(kHeaderTop, fmt::arg("name", identifier(build.plan->loaded.pattern.name)),
                  fmt::arg("version", kVersion), fmt::arg("operations", operationTexts(build)));
  text += fmt::format("#ifndef {0}\n#define {0}\n", guard) + kHeaderIncludes;
  ArgumentStructs structs = structsOf(build);
  Defines defines;
  text += patternConstants(build, defines) + partConstants(*build.plan, defines);
  for (const BuiltKernel &each : build.kernels())
    text += kernelConstants(each, structs, defines);
  for (const BuiltLaunch &launch : build.launches)
    text += launchConstants(build, launch, defines);
  return text + "\n#undef SPARSEC_ASSERT\n#undef SPARSEC_ALIGNED\n#endif\n";
}

} // namespace sparsec::cli
