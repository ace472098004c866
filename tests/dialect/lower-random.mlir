// RUN: sparsec-opt --lower-random %s | FileCheck %s

// What depends on rows or columns alone is of rank 1 until they meet; then twenty rounds, of which
// every other column takes the second word.

// CHECK-LABEL: tile.kernel @bits
// CHECK-DAG: %[[LOW:.*]] = arith.trunci %seed : i64 to i32
// CHECK: %[[LOWS:.*]] = tile.splat %[[LOW]] : i32 -> tensor<16xi32>
// CHECK: arith.addi %{{.*}}, %[[LOWS]] : tensor<16xi32>
// CHECK: tile.expand %{{.*}} {dim = 1 : i64} : tensor<16xi32> -> tensor<16x32xi32>
// CHECK-COUNT-20: arith.ori %{{.*}} : tensor<16x32xi32>
// CHECK-NOT: arith.ori
// CHECK: arith.select %{{.*}} : tensor<16x32xi1>, tensor<16x32xi32>
// CHECK-NOT: tile.random
tile.kernel @bits(%seed: i64, %out: !tile.view<i32, 1>, %n: i32) args ["seed", "out", "n"] {
  %r = tile.rows #tile.order<natural>[%n] of %n : !tile.rows<16>
  %c = tile.rows #tile.order<natural>[%n] of %n : !tile.rows<32>
  %rp = tile.positions %r : !tile.rows<16> -> tensor<16xi32>
  %cp = tile.positions %c : !tile.rows<32> -> tensor<32xi32>
  %bits = tile.random %seed(%rp, %cp) : tensor<16xi32>, tensor<32xi32> -> tensor<16x32xi32>
  tile.store %bits, %out[%r] : tensor<16x32xi32>, !tile.view<i32, 1>, !tile.rows<16>
  tile.return
}
