#!/bin/sh
# Two channels whose samples alternate, left right left right: a head that looks back in time across
# both, and one in the query's own channel with a long stride.
set -eu

cat > stereo.yaml <<'PATTERN'
name: stereo
doc: >-
  Sample t of channel c is token 2 t + c. `both` sees the last l samples of both channels, `own` every
  s-th sample of the query's channel.
params: {l: 32, s: 32}
require: [l >= 1, s >= 1]
where:
  time(t): t // 2
  channel(t): t % 2
heads:
  - {name: both, attend: causal and time(q) - time(k) < l}
  - {name: own, attend: causal and channel(q) == channel(k) and (time(q) - time(k)) % s == 0}
PATTERN

sparsec show stereo.yaml -n 96 --param l=8 --param s=8 --png stereo.png
sparsec explain stereo.yaml -n 4096                              # blocks, orders of tokens, and why
sparsec reach stereo.yaml -n 512 --param s=16 --layers 2         # does two layers see all of the past?
sparsec verify stereo.yaml --device cpu -n 150 --param s=16
sparsec bench stereo.yaml --device cpu -n 512 --param s=16,32 --samples 3 --png times.png
sparsec stereo.yaml --target cpu,sm_80 -o stereo
