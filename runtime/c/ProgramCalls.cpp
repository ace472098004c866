// Programs and plans of the C interface.
#include "runtime/c/Boundary.h"
#include "runtime/c/BuildProgram.h"
#include "runtime/c/LoadFolder.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <thread>

namespace sparsec {
namespace {

using Json = nlohmann::ordered_json;

Result<DType> dtypeOf(int32_t asked, const Target &target) {
  switch (asked) {
  case SPARSEC_DEFAULT:
    return defaultDType(target);
  case SPARSEC_F32:
    return DType::F32;
  case SPARSEC_F16:
    return DType::F16;
  case SPARSEC_BF16:
    return DType::BF16;
  }
  return inputError(fmt::format("options.dtype: expected a sparsec_dtype, found {}", asked));
}

Result<Target> targetOf(const sparsec_compile_options &options, const Device &device) {
  Target own = targetOf(device);
  if (!options.target)
    return own;
  auto target = findTarget(options.target);
  if (!target)
    return inputError("options.target: " + target.error().message);
  if (target->kind() != own.kind())
    return inputError(fmt::format("options.target: device {} does not run code for {}",
                                  device.name(), options.target));
  return target;
}

/// What `options` say of every head's schedule.
Result<void> applySchedule(Pattern &pattern, std::vector<HeadEntry> &layer,
                           const sparsec_compile_options &options) {
  Pattern scheduled = pattern;
  scheduled.heads = layer;
  if (options.order)
    if (auto set =
            setOrders(scheduled, std::make_shared<SourceText>(SourceText{"order", options.order}),
                      filesHere());
        !set)
      return set;
  for (HeadEntry &head : scheduled.heads) {
    if (options.block_q || options.block_k)
      head.schedule.block = {options.block_q, options.block_k};
    if (!options.split)
      continue;
    std::string_view split = options.split;
    if (split != "auto" && split != "always" && split != "never")
      return inputError(
          fmt::format("options.split: expected auto, always or never, found {}", quote(split)));
    head.schedule.split = split == "always"  ? SplitChoice::Always
                          : split == "never" ? SplitChoice::Never
                                             : SplitChoice::Auto;
  }
  layer = std::move(scheduled.heads);
  return {};
}

Result<BuildOptions> optionsOf(const sparsec_compile_options &given, const Device &device,
                               size_t entries) {
  auto target = targetOf(given, device);
  if (!target)
    return target.error();
  auto dtype = dtypeOf(given.dtype, *target);
  if (!dtype)
    return dtype.error();
  BuildOptions options{.target = *target, .dtype = *dtype};
  int operations = given.operations ? given.operations : SPARSEC_FORWARD | SPARSEC_BACKWARD;
  if (operations & ~(SPARSEC_FORWARD | SPARSEC_BACKWARD | SPARSEC_DECODE | SPARSEC_MASS))
    return inputError(fmt::format("options.operations: expected a sum of SPARSEC_FORWARD, "
                                  "SPARSEC_BACKWARD, SPARSEC_DECODE and SPARSEC_MASS, found {}",
                                  given.operations));
  options.forward = operations & SPARSEC_FORWARD;
  options.backward = operations & SPARSEC_BACKWARD;
  options.decode = operations & SPARSEC_DECODE;
  options.mass = operations & SPARSEC_MASS;
  struct Field {
    const char *name;
    int64_t value, most;
  };
  for (const Field &field : {Field{"head_dim", given.head_dim, 256},
                             {"value_dim", given.value_dim, 256},
                             {"heads", given.heads, 65535},
                             {"block_q", given.block_q, 1 << 20},
                             {"block_k", given.block_k, 1 << 20},
                             {"threads", given.threads, 4096},
                             {"n", given.n, INT32_MAX - 1}})
    if (field.value < 0 || field.value > field.most)
      return inputError(fmt::format("options.{}: expected 0 to {}, found {}", field.name,
                                    field.most, field.value));
  if ((given.block_q == 0) != (given.block_k == 0))
    return inputError("options.block_q, block_k: expected both or none");
  options.headDim = given.head_dim ? given.head_dim : 64;
  options.valueDim = given.value_dim ? given.value_dim : options.headDim;
  options.heads = given.heads ? given.heads : static_cast<int64_t>(entries);
  options.n = given.n ? given.n : 4096;
  options.threads = given.threads
                        ? given.threads
                        : static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  return options;
}

Result<void> compileProgram(sparsec_device *device, const sparsec_pattern *pattern,
                            const sparsec_compile_options *given, sparsec_program **out) {
  if (auto ok = expectPointer(device, "device"); !ok)
    return ok;
  if (auto ok = expectPointer(out, "program"); !ok)
    return ok;
  auto source = versioned(pattern, "pattern");
  if (!source)
    return source.error();
  sparsec_compile_options none = {};
  none.size = sizeof none;
  auto options = versioned(given ? given : &none, "options");
  if (!options)
    return options.error();
  auto read = readPattern(*source);
  if (!read)
    return read.error();
  if (auto applied = applySchedule(read->pattern, read->layer, *options); !applied)
    return applied;
  auto build = optionsOf(*options, *device->device, read->layer.size());
  if (!build)
    return build.error();
  auto parts = buildProgram(*read, *build, *device->store);
  if (!parts)
    return parts.error();
  auto program = Program::load(device->device, std::move(*parts));
  if (!program)
    return program.error();
  *out = new sparsec_program{*program, device->dlpackType, device->dlpackId};
  return {};
}

Result<void> loadHandle(sparsec_device *device, const FileContents &files, int64_t layer,
                        sparsec_program **out) {
  if (auto ok = expectPointer(device, "device"); !ok)
    return ok;
  if (auto ok = expectPointer(out, "program"); !ok)
    return ok;
  auto program = loadProgram(device->device, files, layer);
  if (!program)
    return program.error();
  *out = new sparsec_program{*program, device->dlpackType, device->dlpackId};
  return {};
}

Json partJson(const std::string &kernel, const Expr &attend, const Block &block,
              const OrderSpec &queryOrder, const OrderSpec &keyOrder) {
  return {{"kernel", kernel},
          {"attend", print(attend)},
          {"block", {{"q", block.q}, {"k", block.k}}},
          {"query_order", print(queryOrder)},
          {"key_order", print(keyOrder)}};
}

template <class R>
Json requestJson(const Kernel &kernel, const R &request) {
  return partJson(kernel.entry, request.attend, kernel.block, request.queryOrder, request.keyOrder);
}

Json passesJson(const ProgramEntry &entry) {
  Json passes = Json::array();
  if (!entry.forward.empty()) {
    Json parts = Json::array();
    for (const AttentionPart &part : entry.forward)
      parts.push_back(requestJson(part.kernel, part.request));
    passes.push_back({{"operation", "forward"}, {"pass", ""}, {"parts", std::move(parts)}});
  }
  for (const std::vector<BackwardPart> *pass : {&entry.queries, &entry.keys}) {
    if (pass->empty())
      continue;
    Json parts = Json::array();
    for (const BackwardPart &part : *pass)
      parts.push_back(requestJson(part.kernels.back(), part.request));
    passes.push_back({{"operation", "backward"},
                      {"pass", name(pass->front().request.pass)},
                      {"parts", std::move(parts)}});
  }
  if (!entry.decode.empty()) {
    Json parts = Json::array();
    for (const DecodePart &part : entry.decode)
      parts.push_back(requestJson(part.kernels.front(), part.request));
    passes.push_back({{"operation", "decode"}, {"pass", ""}, {"parts", std::move(parts)}});
  }
  for (const MassPart &part : entry.mass)
    passes.push_back({{"operation", "mass"},
                      {"pass", ""},
                      {"parts",
                       {partJson(part.kernels.front().entry, part.request.attend,
                                 part.kernels.front().block, NaturalOrder{}, NaturalOrder{})}}});
  return passes;
}

std::string describe(const ProgramParts &parts) {
  Json heads = Json::array(), operations = Json::array();
  for (const ProgramEntry &entry : parts.entries)
    heads.push_back(
        {{"name", entry.name}, {"attend", print(entry.attend)}, {"passes", passesJson(entry)}});
  if (parts.hasForward())
    operations.push_back("forward");
  if (parts.hasBackward())
    operations.push_back("backward");
  if (parts.hasDecode())
    operations.push_back("decode");
  if (parts.hasMass())
    operations.push_back("mass");
  return Json{{"pattern", parts.pattern},    {"target", parts.target.name},
              {"dtype", name(parts.dtype)},  {"head_dim", parts.headDim},
              {"value_dim", parts.valueDim}, {"operations", std::move(operations)},
              {"heads", std::move(heads)}}
      .dump();
}

Json blocksJson(const UploadedNumbers &numbers, const Heads &heads) {
  return {{"all", heads.count * numbers.rowTiles * numbers.columnTiles},
          {"live", numbers.counts.live},
          {"full", numbers.counts.full},
          {"partial", numbers.counts.partial}};
}

std::string describe(const ProgramParts &parts, const ProgramPlan &plan) {
  Json passes = Json::array();
  for (size_t i = 0; i < plan.forwardPlans().size(); ++i) {
    const AttentionPlan &entry = plan.forwardPlans()[i];
    for (size_t part = 0; part < entry.partCount(); ++part)
      passes.push_back({{"head", parts.entries[i].name},
                        {"operation", "forward"},
                        {"pass", ""},
                        {"part", part},
                        {"blocks", blocksJson(entry.numbers(part), entry.heads())}});
  }
  if (plan.backwardPlan())
    for (const AttentionBackwardPlan::Part &part : plan.backwardPlan()->all())
      passes.push_back({{"head", parts.entries[static_cast<size_t>(part.entry)].name},
                        {"operation", "backward"},
                        {"pass", name(part.pass)},
                        {"part", part.part},
                        {"blocks", blocksJson(part.numbers, part.heads)}});
  for (size_t i = 0; i < plan.decodePlans().size(); ++i) {
    const AttentionDecodePlan &entry = plan.decodePlans()[i];
    for (size_t part = 0; part < entry.partCount(); ++part)
      passes.push_back({{"head", parts.entries[i].name},
                        {"operation", "decode"},
                        {"pass", ""},
                        {"part", part},
                        {"blocks", blocksJson(entry.numbers(part), entry.heads())}});
  }
  const AttentionShape &shape = plan.shape();
  return Json{{"shape",
               {{"batch", shape.batch},
                {"heads", shape.heads},
                {"kv_heads", shape.kvHeads},
                {"nq", shape.nq},
                {"n", shape.n},
                {"q0", shape.q0}}},
              {"workspace",
               {{"forward", plan.forwardWorkspace()},
                {"backward", plan.backwardWorkspace()},
                {"decode", plan.decodeWorkspace()},
                {"mass", plan.massWorkspace()}}},
              {"passes", std::move(passes)}}
      .dump();
}

/// The plan of a shape, unless it would have to be made while `stream` is being captured.
Result<std::shared_ptr<const ProgramPlan>> planOf(Program &program, const AttentionShape &shape,
                                                  void *stream, bool &isUnprepared) {
  if (auto found = program.find(shape))
    return found;
  Result<bool> capturing = program.device().isCapturing(stream);
  if (!capturing)
    return capturing.error();
  isUnprepared = *capturing;
  if (isUnprepared)
    return inputError("shape: expected one that was prepared before the stream is captured: "
                      "prepare it, or launch it once, first");
  return program.prepare(shape);
}

Result<void> preparePlan(sparsec_program *program, const sparsec_shape *given, void *stream,
                         sparsec_plan **out, bool &isUnprepared) {
  if (auto ok = expectPointer(program, "program"); !ok)
    return ok;
  if (auto ok = expectPointer(out, "plan"); !ok)
    return ok;
  auto shape = versioned(given, "shape");
  if (!shape)
    return shape.error();
  AttentionShape asked{.batch = shape->batch,
                       .heads = shape->heads,
                       .kvHeads = shape->kv_heads ? shape->kv_heads : shape->heads,
                       .nq = shape->nq,
                       .n = shape->n,
                       .q0 = shape->has_q0 ? shape->q0 : shape->n - shape->nq};
  if (Result<void> ok = checkShape(asked, {0, 1, std::max<int64_t>(asked.heads, 0)}); !ok) {
    Error error = ok.error();
    error.message = "shape: " + error.message;
    return error;
  }
  auto plan = planOf(*program->program, asked, stream, isUnprepared);
  if (!plan)
    return plan.error();
  *out = new sparsec_plan{program->program, *plan, program->dlpackType, program->dlpackId};
  return {};
}

} // namespace
} // namespace sparsec

using namespace sparsec;

extern "C" {

sparsec_status sparsec_compile(sparsec_device *device, const sparsec_pattern *pattern,
                               const sparsec_compile_options *options, sparsec_program **program) {
  return guarded([&] { return compileProgram(device, pattern, options, program); });
}

sparsec_status sparsec_load(sparsec_device *device, const char *folder, int64_t layer,
                            sparsec_program **program) {
  return guarded([&]() -> Result<void> {
    if (auto ok = expectPointer(folder, "folder"); !ok)
      return ok;
    return loadHandle(device, filesOfFolder(folder), layer, program);
  });
}

sparsec_status sparsec_load_files(sparsec_device *device, const char *const *names,
                                  const void *const *contents, const size_t *sizes, size_t count,
                                  int64_t layer, sparsec_program **program) {
  return guarded([&]() -> Result<void> {
    if (count > 0 && (!names || !contents || !sizes))
      return inputError("names, contents, sizes: expected pointers, found null");
    FileContents files = [&](const std::string &name) -> Result<std::string> {
      for (size_t i = 0; i < count; ++i)
        if (names[i] && names[i] == name)
          return std::string(static_cast<const char *>(contents[i]), sizes[i]);
      return inputError(fmt::format("names: expected a file {} among them", name));
    };
    return loadHandle(device, files, layer, program);
  });
}

void sparsec_release_program(sparsec_program *program) {
  delete program;
}

sparsec_status sparsec_describe_program(const sparsec_program *program, char **json) {
  return guarded([&]() -> Result<void> {
    if (auto ok = expectPointer(program, "program"); !ok)
      return ok;
    if (auto ok = expectPointer(json, "json"); !ok)
      return ok;
    return giveText(describe(program->program->parts()), json);
  });
}

sparsec_status sparsec_prepare(sparsec_program *program, const sparsec_shape *shape, void *stream,
                               sparsec_plan **plan) {
  bool isUnprepared = false;
  sparsec_status status =
      guarded([&] { return preparePlan(program, shape, stream, plan, isUnprepared); });
  return isUnprepared ? SPARSEC_UNPREPARED : status;
}

sparsec_status sparsec_describe_plan(const sparsec_plan *plan, char **json) {
  return guarded([&]() -> Result<void> {
    if (auto ok = expectPointer(plan, "plan"); !ok)
      return ok;
    if (auto ok = expectPointer(json, "json"); !ok)
      return ok;
    return giveText(describe(plan->program->parts(), *plan->plan), json);
  });
}

void sparsec_release_plan(sparsec_plan *plan) {
  delete plan;
}
}
