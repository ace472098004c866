// What a tile.kernel says of itself: the struct it takes, its grid. The same for every back end.
#pragma once

#include "codegen/common/LayoutFields.h"
#include "dialect/Tile.h"
#include "kernel/Kernel.h"

namespace sparsec {

/// The fields of a kernel's arguments (kernel/Signature.h): what its arguments are, and what `work`
/// and `layout` add.
/// Whether rows lie on the keys' axis, which is `n` long; the queries' is `nq`.
bool areKeys(tile::RowsOp rows);
Signature signatureOf(tile::KernelOp kernel);
Grid gridOf(tile::KernelOp kernel);

/// "block_offsets" of the layout named "layout"; of another one "NAME_block_offsets". What belongs
/// to the work has one name.
std::string layoutField(llvm::StringRef layout, const LayoutFieldSpec &field);

} // namespace sparsec
