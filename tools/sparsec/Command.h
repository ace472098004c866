// A command of sparsec. Each lives in its own file and is one row of the table in main.cpp: it
// declares its options and returns what to run once they are parsed.
//
//   sparsec [COMMAND] ARGUMENTS        no COMMAND: compile
//
// Exit codes: 0 yes; 1 wrong input, or the answer is no; 2 wrong usage; 3 this machine cannot;
// 70 a bug of ours.
#pragma once

#include "patterns/Error.h"
#include "tools/sparsec/Interrupts.h"
#include "tools/sparsec/Terminal.h"

#include <functional>

namespace sparsec::cli {

class Options;

/// What every command gets: the flags that exist everywhere, and the way out.
struct Session {
  bool json = false;  ///< stdout is JSON alone
  bool quiet = false; ///< no report, no progress: only the answer and errors
  int threads = 1;
  uint64_t seed = 0;
  Style style; ///< of stdout
  Interrupts &interrupts;

  /// A report: nothing with --json or -q.
  void report(const std::string &text) const;
};

enum class Answer { Yes, No };
using Action = std::function<Result<Answer>(Session &)>;

struct Command {
  const char *name;
  const char *arguments; ///< after the name, in the usage line
  const char *summary;
  Action (*declare)(Options &options);
};

Action declareCompile(Options &options);
Action declareZoo(Options &options);
Action declareShow(Options &options);
Action declareExplain(Options &options);
Action declareReach(Options &options);
Action declareCompare(Options &options);
Action declareVerify(Options &options);
Action declareBench(Options &options);
Action declareCache(Options &options);
Action declareEnv(Options &options);
Action declareTrain(Options &options);
Action declareEval(Options &options);
Action declareSample(Options &options);
Action declareInspect(Options &options);
Action declareReport(Options &options);
Action declareImport(Options &options);
Action declareSchema(Options &options);

} // namespace sparsec::cli
