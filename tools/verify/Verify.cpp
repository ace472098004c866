#include "tools/verify/Verify.h"

#include "codegen/ChooseSchedule.h"
#include "tools/verify/Judge.h"
#include "tools/verify/Problem.h"

#include <fmt/format.h>

#include <cctype>
#include <limits>

namespace sparsec {

Verifier::Verifier(Device &device, const Pattern &pattern, Target target, CompileFunction compile,
                   BlockSource blocks)
    : device(device), pattern(pattern), target(std::move(target)), compile(std::move(compile)),
      blocks(blocks) {}

Result<Attention *> Verifier::kernel(size_t entry, const VerifyCase &c) {
  const HeadEntry &head = pattern.heads[entry];
  Block block = c.block.q ? c.block : head.schedule.block;
  std::string key = fmt::format("{}_{}_d{}_v{}_b{}x{}", pattern.name, head.name, c.headDim,
                                c.valueDim, block.q, block.k);
  for (char &letter : key)
    if (!std::isalnum(static_cast<unsigned char>(letter)))
      letter = '_';
  key += fmt::format("_{}_{}", name(c.dtype), entry);
  if (auto found = loaded.find(key); found != loaded.end())
    return &found->second;
  Result<HeadSchedule> schedule = chooseSchedule({.kernel = {.entry = key,
                                                             .attend = head.attend,
                                                             .dtype = c.dtype,
                                                             .headDim = c.headDim,
                                                             .valueDim = c.valueDim,
                                                             .block = block,
                                                             .target = target},
                                                  .schedule = head.schedule,
                                                  .copies = c.heads * c.batch});
  if (!schedule)
    return schedule.error();
  std::vector<AttentionPart> parts;
  for (const AttentionRequest &request : schedule->parts) {
    Result<Kernel> compiled = single(compile(request));
    if (!compiled)
      return compiled.error();
    parts.push_back({std::move(*compiled), request});
  }
  Result<Attention> attention = Attention::load(device, std::move(parts), blocks);
  if (!attention)
    return attention.error();
  return &loaded.emplace(key, std::move(*attention)).first->second;
}

Result<std::vector<std::string>> Verifier::launch(const VerifyCase &c, Tensors &tensors) {
  if (Result<void> uploaded = tensors.upload(device); !uploaded)
    return uploaded.error();
  std::vector<std::string> faults(pattern.heads.size());
  for (size_t entry = 0; entry < pattern.heads.size(); ++entry) {
    Result<Attention *> attention = kernel(entry, c);
    if (!attention)
      return attention.error();
    if (Result<void> done =
            (*attention)
                ->launch(tensors.call(c, headsOfEntry(entry, pattern.heads.size(), c.heads)));
        !done)
      return done.error();
    if (Result<void> done = device.synchronize(); !done)
      faults[entry] = done.error().message;
  }
  if (Result<void> done = tensors.download(device); !done)
    return done.error();
  return faults;
}

Result<std::string> Verifier::checkMemory(const VerifyCase &c, const Tensors &tensors,
                                          const reference::AttentionProblem &problem) {
  Result<std::string> wrong = tensors.inspect(c, device);
  if (!wrong || !wrong->empty() || c.runs < 2)
    return wrong;
  Tensors again(problem, c);
  Result<std::vector<std::string>> faults = launch(c, again);
  if (!faults)
    return faults.error();
  if (again.out.bytes() != tensors.out.bytes() || again.lse.bytes() != tensors.lse.bytes())
    return std::string("a second run gave other bits");
  return wrong;
}

Result<std::vector<VerifyRow>> Verifier::run(const VerifyCase &c) {
  reference::AttentionProblem problem = makeProblem(pattern, c);
  Tensors tensors(problem, c);
  Result<std::vector<std::string>> faults = launch(c, tensors);
  if (!faults)
    return faults.error();
  Result<std::string> memory = checkMemory(c, tensors, problem);
  if (!memory)
    return memory.error();
  Outcome outcome{.c = c,
                  .problem = problem,
                  .out = tensors.out.get(),
                  .lse = tensors.lse.get(),
                  .exact = reference::exact(problem),
                  .plain = reference::plain(problem, rounding(c.dtype))};

  std::vector<VerifyRow> rows;
  for (size_t entry = 0; entry < pattern.heads.size(); ++entry) {
    Heads heads = headsOfEntry(entry, pattern.heads.size(), c.heads);
    if (heads.count == 0)
      continue;
    const std::string &fault = (*faults)[entry];
    VerifyRow row{.head = pattern.heads[entry].name,
                  .testCase = c,
                  .detail = fault.empty() ? *memory : fault};
    rows.push_back(judgeOut(outcome, heads, row));
    if (c.lse == LseOutput::Wanted)
      rows.push_back(judgeLse(outcome, heads, row));
  }
  return rows;
}

} // namespace sparsec
