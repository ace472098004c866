// RUN: sparsec-opt %s -split-input-file -verify-diagnostics -allow-unregistered-dialect

// Every rule of tile.fold, with its message. The custom text cannot say most mistakes, because types
// of arguments follow from the yields; the generic text can.

tile.kernel @a(%n: i32) args ["n"] {
  %l = tile.range %n to %n : !tile.blocks
  tile.fold %j in %l init() fetch {
    tile.yield %j : i32
  // expected-error @below {{'lead' takes 1 values, found 0}}
  } lead() {
    tile.yield
  } step(%a) {
    tile.yield
  }
  tile.return
}

// -----

tile.kernel @a(%n: i32) args ["n"] {
  %l = tile.range %n to %n : !tile.blocks
  %s = tile.fold %j in %l init(%n) : i32 fetch {
    tile.yield %j : i32
  } lead(%a) {
    tile.yield %a : i32
  // expected-error @below {{'step' takes 3 values, found 2}}
  } step(%a, %b) {
    tile.yield %b : i32
  }
  tile.return
}

// -----

tile.kernel @a(%n: i32) args ["n"] {
  %l = tile.range %n to %n : !tile.blocks
  tile.fold %j in %l init() fetch {
    %x = arith.addi %j, %j : i32
  // expected-error @below {{expected the region before to end with tile.yield}}
  } lead() {
    tile.yield
  } step() {
    tile.yield
  }
  tile.return
}

// -----

tile.kernel @a(%n: i32) args ["n"] {
  %l = tile.range %n to %n : !tile.blocks
  // expected-error @below {{'tile.fold' op 'step' yields ('f32'), expected the carries: ('i32')}}
  %s = tile.fold %j in %l init(%n) : i32 fetch {
    tile.yield
  } lead() {
    tile.yield
  } step(%a) {
    %c = arith.constant 0.0 : f32
    tile.yield %c : f32
  }
  tile.return
}

// -----

tile.kernel @a(%n: i32) args ["n"] {
  %l = tile.range %n to %n : !tile.blocks
  // expected-error @below {{'tile.fold' op results ('f32') differ from inits ('i32')}}
  %s = "tile.fold"(%l, %n) ({
  ^bb0(%j: i32):
    "tile.yield"() : () -> ()
  }, {
    "tile.yield"() : () -> ()
  }, {
  ^bb0(%a: i32):
    "tile.yield"(%a) : (i32) -> ()
  }) : (!tile.blocks, i32) -> f32
  tile.return
}

// -----

tile.kernel @a(%n: i32) args ["n"] {
  %l = tile.range %n to %n : !tile.blocks
  // expected-error @below {{'tile.fold' op 'fetch' takes ('i32', 'i32'), expected the block index alone: ('i32')}}
  "tile.fold"(%l) ({
  ^bb0(%j: i32, %carry: i32):
    "tile.yield"() : () -> ()
  }, {
    "tile.yield"() : () -> ()
  }, {
    "tile.yield"() : () -> ()
  }) : (!tile.blocks) -> ()
  tile.return
}

// -----

tile.kernel @a(%n: i32) args ["n"] {
  %l = tile.range %n to %n : !tile.blocks
  // expected-error @below {{'tile.fold' op 'lead' takes ('i32'), expected what fetch yields: ()}}
  %s = "tile.fold"(%l, %n) ({
  ^bb0(%j: i32):
    "tile.yield"() : () -> ()
  }, {
  ^bb0(%carry: i32):
    "tile.yield"() : () -> ()
  }, {
  ^bb0(%carry: i32):
    "tile.yield"(%carry) : (i32) -> ()
  }) : (!tile.blocks, i32) -> i32
  tile.return
}

// -----

tile.kernel @a(%n: i32) args ["n"] {
  %l = tile.range %n to %n : !tile.blocks
  // expected-error @below {{'tile.fold' op 'step' takes ('i32', 'f32'), expected what fetch and lead yield, then the carries: ('f32', 'i32')}}
  %s = "tile.fold"(%l, %n) ({
  ^bb0(%j: i32):
    %c = "arith.constant"() {value = 0.0 : f32} : () -> f32
    "tile.yield"(%c) : (f32) -> ()
  }, {
  ^bb0(%c: f32):
    "tile.yield"() : () -> ()
  }, {
  ^bb0(%carry: i32, %c: f32):
    "tile.yield"(%carry) : (i32) -> ()
  }) : (!tile.blocks, i32) -> i32
  tile.return
}

// -----

tile.kernel @a(%n: i32) args ["n"] {
  %l = tile.range %n to %n : !tile.blocks
  // expected-error @below {{'tile.fold' op 'lead' must end with tile.yield}}
  "tile.fold"(%l) ({
  ^bb0(%j: i32):
    "tile.yield"() : () -> ()
  }, {
    "unknown.end"() : () -> ()
  }, {
    "tile.yield"() : () -> ()
  }) : (!tile.blocks) -> ()
  tile.return
}

// -----

tile.kernel @a(%x: !tile.view<f32, 0>, %n: i32) args ["x", "n"] {
  %l = tile.range %n to %n : !tile.blocks
  %t = arith.constant dense<0.0> : tensor<16xf32>
  tile.fold %j in %l init() fetch {
    %r = tile.rows #tile.order<natural>[%j] of %n : !tile.rows<16>
    // expected-error @below {{'tile.store' op in the fetch region of a fold, which only computes and loads}}
    tile.store %t, %x[%r] : tensor<16xf32>, !tile.view<f32, 0>, !tile.rows<16>
    tile.yield
  } lead() {
    tile.yield
  } step() {
    tile.yield
  }
  tile.return
}

// -----

tile.kernel @a(%x: !tile.view<f32, 0>, %n: i32) args ["x", "n"] {
  %l = tile.range %n to %n : !tile.blocks
  tile.fold %j in %l init() fetch {
    %r = tile.rows #tile.order<natural>[%j] of %n : !tile.rows<16>
    tile.yield %r : !tile.rows<16>
  } lead(%r) {
    // expected-error @below {{'tile.load' op in the lead region of a fold, which only computes}}
    %t = tile.load %x[%r] : !tile.view<f32, 0>, !tile.rows<16> -> tensor<16xf32>
    tile.yield
  } step(%r) {
    tile.yield
  }
  tile.return
}

// -----

// Nested ops count too.
tile.kernel @a(%n: i32, %c: i1) args ["n", "c"] {
  %l = tile.range %n to %n : !tile.blocks
  tile.fold %j in %l init() fetch {
    scf.if %c {
      // expected-error @below {{'tile.count' op in the fetch region of a fold, which only computes and loads}}
      tile.count "fetched" by %n
    }
    tile.yield
  } lead() {
    tile.yield
  } step() {
    tile.yield
  }
  tile.return
}

// -----

// expected-error @below {{'tile.yield' op expects parent op 'tile.fold'}}
tile.yield
