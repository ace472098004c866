#!/bin/sh
# Powers of two behind the query: is it enough, what does it cost, is it right, how fast is it?
set -eu

cat > ladder.yaml <<'PATTERN'
name: ladder
doc: Keys at the powers of two behind the query, and the last w of them.
params: {w: 4}
heads:
  - {name: ladder, attend: "causal and (q - k < w or power_of_two(q - k))"}
PATTERN

sparsec show ladder.yaml -n 64 --png ladder.png                  # is it what was meant?
sparsec show ladder.yaml --stats -n 65536                        # few keys a query at 65,536 tokens
sparsec reach ladder.yaml -n 300 --smallest                      # layers until every position is reached
sparsec compare ladder.yaml local strided -n 4096 --param w=8    # beside others, before any kernel ran
sparsec verify ladder.yaml --device cpu -n 130                   # forward and backward against float64
sparsec bench ladder.yaml --device cpu -n 256,1024 --samples 3 --png times.png
sparsec ladder.yaml --target cpu,sm_80 -o ladder                 # kernels, a manifest and a C header
