// sparsec: finds the command, reads its options, runs it, and turns what it says into an exit code.
#include "patterns/Pattern.h"
#include "tools/sparsec/Bugs.h"
#include "tools/sparsec/Command.h"
#include "tools/sparsec/HelpPages.h"
#include "tools/sparsec/Options.h"
#include "tools/sparsec/Version.h"

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstring>
#include <fmt/core.h>
#include <thread>
#include <unistd.h>

namespace sparsec::cli {
namespace {

enum ExitCode { kYes = 0, kNo = 1, kUsage = 2, kMachine = 3, kInternal = 70 };

constexpr Command kCommands[] = {
    {"compile", "PATTERN", "compile a pattern to kernels (the default)", declareCompile},
    {"zoo", "[NAME]", "list the zoo of patterns, or print one to start from", declareZoo},
    {"show", "PATTERN...", "draw patterns and their blocks; --stats counts, --png draws a figure",
     declareShow},
    {"explain", "PATTERN", "what was decided and why; --after=STAGE prints a stage",
     declareExplain},
    {"reach", "PATTERN", "does every position reach every earlier one, in --layers steps",
     declareReach},
    {"compare", "PATTERN...|RUN...",
     "density, blocks, reach and predicted time side by side; of runs loss, time, curves",
     declareCompare},
    {"verify", "[PATTERN]", "run the kernels on a device against the reference", declareVerify},
    {"bench", "PATTERN...", "time the kernels, dense attention beside them", declareBench},
    {"train", "CONFIG", "train a Sparse Transformer on a data set", declareTrain},
    {"eval", "RUN", "bits of a trained model over a split of its data", declareEval},
    {"sample", "RUN", "text, pictures or sound from a trained model", declareSample},
    {"inspect", "RUN", "what a trained model's attention looks at; --propose writes a pattern",
     declareInspect},
    {"report", "RUN", "one HTML page about a run: curves, samples, memory, time", declareReport},
    {"cache", "ls|clear|path", "the compiled kernels that are kept on disk", declareCache},
    {"import", "FILE...",
     "a pattern from a mask of blocks, or a config of DeepSpeed or Hugging Face", declareImport},
    {"schema", "pattern|config", "a JSON Schema of the files, for editors", declareSchema},
    {"env", "", "what this machine has, what it lacks, what that would give", declareEnv},
};

/// What stands in place of a command and is neither one nor a pattern.
std::optional<std::string> misspelt(const std::string &first, bool hasMore) {
  bool isPattern = first.empty() || first[0] == '-' || first.find('/') != std::string::npos ||
                   first.ends_with(".yaml") || first.ends_with(".yml") || zooFile(first);
  if (isPattern)
    return std::nullopt;
  std::vector<std::string> names;
  for (const Command &command : kCommands)
    names.emplace_back(command.name);
  if (auto near = nearest(first, names))
    return fmt::format("there is no command '{}'; did you mean '{}'?", first, *near);
  // One word alone is taken to be a pattern.
  return hasMore ? std::optional(fmt::format("there is no command and no pattern '{}'", first))
                 : std::nullopt;
}

/// CLI11's words for a count of values, in ours.
std::string mismatch(const std::string &text) {
  size_t colon = text.find(": ");
  std::string name = text.substr(0, colon),
              rest = colon == std::string::npos ? "" : text.substr(colon);
  if (rest.ends_with(" missing") || text.find("required") == std::string::npos)
    return fmt::format("{}: expected a value, found none", name);
  return fmt::format("{}: is given twice", name);
}

const Command *findCommand(const std::string &name) {
  for (const Command &command : kCommands)
    if (name == command.name)
      return &command;
  return nullptr;
}

int usageError(const std::string &message, const std::string &help) {
  fmt::print(stderr, "error: {}\nnote: '{}' lists what there is\n", message, help);
  return kUsage;
}

std::string overview() {
  std::string text = "usage: sparsec PATTERN [OPTION...]\n"
                     "       sparsec COMMAND ...\n\n"
                     "Compiles sparse attention patterns to block-sparse GPU kernels.\n"
                     "PATTERN: a path (has a / or ends in .yaml), - for stdin, a name of the zoo,\n"
                     "or -e 'EXPR'.\n\nCommands\n";
  for (const Command &command : kCommands)
    text += fmt::format("  {:<26}{}\n", fmt::format("{} {}", command.name, command.arguments),
                        command.summary);
  return text +
         "\n'sparsec COMMAND --help' lists the options of a command, 'sparsec help language' says\n"
         "what a pattern may say.\n"
         "Try: sparsec strided\n";
}

/// Options that may stand before a command's name, and whether a value follows.
size_t leadingOptions(const std::vector<std::string> &arguments) {
  size_t i = 0;
  while (i < arguments.size()) {
    const std::string &each = arguments[i];
    if (each == "--json" || each == "-q" || each == "--quiet" || each.starts_with("--threads=") ||
        each.starts_with("--seed="))
      i += 1;
    else if (each == "--threads" || each == "--seed")
      i += 2;
    else
      break;
  }
  return std::min(i, arguments.size());
}

void declareEverywhere(CLI::App &app, Options &options, Session &session, int64_t &threads,
                       int64_t &seed) {
  options.heading("Everywhere");
  options.flag("--json", "stdout is JSON alone", session.json);
  options.flag("-q,--quiet", "no report and no progress", session.quiet);
  options.integer("--threads", "threads to use (all)", threads, {1, 4096});
  options.integer("--seed", "of what is random (0)", seed, {0, INT64_MAX});
  std::vector<CLI::Option *> all = {
      app.set_help_flag("-h,--help", "this text"),
      app.add_flag_function(
          "--version", [](int64_t) {}, "the version, and exit"),
  };
  for (CLI::Option *option : all)
    option->group("Everywhere");
}

/// What an unknown option or argument was perhaps meant to be.
std::string unexpected(const CLI::App &app, const std::string &argument) {
  if (argument.size() < 2 || argument[0] != '-')
    return fmt::format("unexpected argument '{}'", argument);
  std::string given = argument.substr(0, argument.find('='));
  std::vector<std::string> names;
  for (const CLI::Option *option : app.get_options())
    for (const std::string &name : option->get_lnames())
      names.push_back("--" + name);
  return fmt::format("unknown option '{}'{}", given, suggestion(given, names));
}

int finish(const Result<Answer> &result) {
  if (fflush(stdout) != 0 || ferror(stdout)) {
    fmt::print(stderr, "error: standard output cannot be written: {}\n", std::strerror(errno));
    return kMachine;
  }
  if (result)
    return *result == Answer::Yes ? kYes : kNo;
  const Error &error = result.error();
  switch (error.kind) {
  case ErrorKind::Input:
    fputs(error.render().c_str(), stderr);
    return kNo;
  case ErrorKind::Machine:
    fputs(error.render().c_str(), stderr);
    return kMachine;
  case ErrorKind::Internal:
    fputs(error.render().c_str(), stderr);
    fputs(whatToReport(), stderr);
    return kInternal;
  }
  return kInternal;
}

int runCommand(const Command &command, std::vector<std::string> arguments, Interrupts &interrupts) {
  CLI::App app;
  Session session{.style = Style::of(STDOUT_FILENO), .interrupts = interrupts};
  int64_t threads = std::max(1u, std::thread::hardware_concurrency()), seed = 0;
  Options options(app);
  Action action = command.declare(options);
  declareEverywhere(app, options, session, threads, seed);
  std::string help = fmt::format("sparsec {} --help", command.name);
  try {
    std::reverse(arguments.begin(), arguments.end()); // as CLI11 wants it
    app.parse(std::move(arguments));
  } catch (const CLI::CallForHelp &) {
    fputs(options
              .help(fmt::format("sparsec {} {} [OPTION...]", command.name, command.arguments),
                    command.summary)
              .c_str(),
          stdout);
    return finish(Answer::Yes);
  } catch (const CLI::ExtrasError &) {
    return usageError(unexpected(app, app.remaining().front()), help);
  } catch (const CLI::ArgumentMismatch &error) {
    return usageError(mismatch(error.what()), help);
  } catch (const CLI::ParseError &error) {
    return usageError(error.what(), help);
  }
  session.threads = static_cast<int>(threads);
  session.seed = seed;
  return finish(action(session));
}

/// A page of the documents.
int help(const std::string &topic) {
  std::vector<std::string> topics;
  for (const EmbeddedText &page : helpPages()) {
    topics.emplace_back(page.name);
    if (topic == page.name) {
      fputs(std::string(page.text).c_str(), stdout);
      return finish(Answer::Yes);
    }
  }
  for (const Command &command : kCommands)
    topics.emplace_back(command.name);
  return usageError(fmt::format("help: expected {}, found '{}'{}", listed(topics), topic,
                                suggestion(topic, topics)),
                    "sparsec --help");
}

/// A script that completes commands, their options, names of the zoo and files.
int completion(const std::string &shell, Interrupts &interrupts) {
  if (shell != "bash" && shell != "zsh")
    return usageError(fmt::format("completion: expected bash or zsh, found '{}'", shell),
                      "sparsec --help");
  std::string commands, cases;
  for (const Command &command : kCommands) {
    CLI::App app;
    Session session{.style = {}, .interrupts = interrupts};
    int64_t threads = 1, seed = 0;
    Options options(app);
    Action action = command.declare(options);
    declareEverywhere(app, options, session, threads, seed);
    std::string names;
    for (const std::string &name : options.names())
      names += (names.empty() ? "" : " ") + name;
    commands += fmt::format("{}{}", commands.empty() ? "" : " ", command.name);
    cases += fmt::format("    {}) words=\"{}\" ;;\n", command.name, names);
  }
  std::string zoo;
  for (const std::string &name : zooNames())
    zoo += (zoo.empty() ? "" : " ") + name;
  fmt::print("{0}_sparsec() {{\n"
             "  local word=\"${{COMP_WORDS[COMP_CWORD]}}\" command=\"${{COMP_WORDS[1]}}\" words\n"
             "  case \"$command\" in\n{1}"
             "    *) words=\"\" ;;\n"
             "  esac\n"
             "  if [[ $COMP_CWORD -eq 1 ]]; then words=\"{2} help completion {3}\"\n"
             "  elif [[ $word != -* ]]; then words=\"{3}\"; fi\n"
             "  COMPREPLY=($(compgen -W \"$words\" -- \"$word\") $(compgen -f -- \"$word\"))\n"
             "}}\n"
             "complete -o filenames -F _sparsec sparsec\n",
             shell == "zsh" ? "autoload -Uz bashcompinit && bashcompinit\n" : "", cases, commands,
             zoo);
  return finish(Answer::Yes);
}

int run(std::vector<std::string> arguments, Interrupts &interrupts) {
  if (arguments.empty()) {
    fputs(overview().c_str(), stderr);
    return kUsage;
  }
  size_t at = leadingOptions(arguments);
  std::string first = at < arguments.size() ? arguments[at] : "";
  if (std::find(arguments.begin(), arguments.end(), "--version") != arguments.end()) {
    fmt::print("{}\n", kVersionLine);
    return finish(Answer::Yes);
  }
  if (first == "completion")
    return completion(at + 1 < arguments.size() ? arguments[at + 1] : "", interrupts);
  if (first == "help" && at + 1 < arguments.size()) {
    if (findCommand(arguments[at + 1])) // help COMMAND is COMMAND --help
      return run({arguments[at + 1], "--help"}, interrupts);
    return help(arguments[at + 1]);
  }
  if (first == "-h" || first == "--help" || first == "help") {
    fputs(overview().c_str(), stdout);
    return finish(Answer::Yes);
  }
  const Command *command = findCommand(first);
  if (command) {
    arguments.erase(arguments.begin() + at);
  } else {
    bool more = at + 1 < arguments.size() && arguments[at + 1][0] != '-';
    if (auto wrong = misspelt(first, more))
      return usageError(*wrong, "sparsec --help");
  }
  if (!command)
    command = &kCommands[0];
  return runCommand(*command, std::move(arguments), interrupts);
}

} // namespace

void Session::report(const std::string &text) const {
  if (!json && !quiet)
    fputs(text.c_str(), stdout);
}

} // namespace sparsec::cli

extern "C" int sparsec_main(int argc, char **argv) {
  using namespace sparsec;
  std::vector<std::string> arguments(argv + 1, argv + argc);
  cli::Interrupts interrupts;
  cli::reportBugs(arguments);
  try {
    return cli::run(std::move(arguments), interrupts);
  } catch (const std::bad_alloc &) {
    fputs("error: out of memory\n", stderr);
    return cli::kMachine;
  } catch (const std::exception &error) {
    return cli::finish(internalError(error.what()));
  }
}
