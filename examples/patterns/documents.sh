#!/bin/sh
# Documents packed into one sequence, which may not see each other: their ends are a file that a data
# loader writes.
set -eu

seq 90 190 900 > ends.txt                                        # the first token of each next document
cat > packed.yaml <<'PATTERN'
name: packed
doc: Tokens see earlier ones of their document, a sliding window of them in every other head.
params: {ends: {file: ends.txt}, w: 64}
where:
  document(t): segment(t, ends)
  together: document(q) == document(k)
heads:
  - {name: whole, attend: causal and together}
  - {name: window, attend: local(w) and together}
PATTERN

sparsec show packed.yaml -n 1000 --stats                         # who sees how many
sparsec show packed.yaml -n 1000 --npy mask.npy -q               # the mask, to compare with one's own
sparsec verify packed.yaml --device cpu -n 300
sparsec bench packed.yaml --device cpu -n 1000 --samples 3
sparsec packed.yaml -n 1000 --target cpu,sm_80 -o packed
