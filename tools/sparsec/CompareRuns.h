// sparsec compare RUN RUN...: what differs between runs beside the pattern, first; then what they
// reached, and curves.
#pragma once

#include "tools/picture/Plot.h"
#include "tools/sparsec/Command.h"
#include "tools/sparsec/RunLog.h"

namespace sparsec::cli {

Result<Answer> compareRuns(const Session &session, const std::vector<std::string> &paths,
                           const std::string &png);

/// Bits of the train lines, and with ", valid" of validations.
Plot bitsPlot(const std::vector<RunLog> &runs);

} // namespace sparsec::cli
