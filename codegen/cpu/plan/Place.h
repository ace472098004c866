// Where and how a tile lies in memory while a kernel runs.
//
// P is the width of a panel: as many lanes as a few vector registers hold. A matrix of `rows` rows
// and L lanes lies in one of these forms:
//
//   form       elements from row to row,   what it is for
//              from panel to panel
//   Panels     P           rows P          [panel][row][P]   lanes of one row of a panel side by
//                                          side: what is computed
//   OnePanel   P           0               the same with the memory of one panel, which each panel
//                                          uses again: what only its own group reads
//   Columns    16          16 rows         [line][row][16]   panels of one cache line: what products
//                                          go down
//   Rows       L + 16      P               [row][lane]   as memory has them, widened to f32: what
//                                          products go along
//   Pointers                               [row] -> memory   nothing is copied: what is read along
//                                          memory's rows. Rows that do not exist point at zeros,
//                                          rows that end within the tile at copies with zeros behind
//   Vector                 P               [lane]   a tile of rank 1
//
//   a matrix of 2 rows and 8 lanes with P = 4, element (row, lane) by its place
//     Panels    00 01 02 03 10 11 12 13 | 04 05 06 07 14 15 16 17
//     Rows      00 01 02 03 04 05 06 07 .. 10 11 12 13 14 15 16 17 ..
//
// Floats are f32 throughout: a bf16 or f16 tile holds f32 numbers that have such a value, but that
// memory itself has 16 bits. What products take in a form of their own (ProductKind.h) are integers
// that hold several elements each.
#pragma once

#include "codegen/cpu/Level.h"

#include "mlir/IR/BuiltinTypes.h"

namespace sparsec::cpu {

/// How `lanes` lanes are cut into panels, and a panel into vectors.
struct PanelShape {
  int64_t lanes = 0;
  int panel = 0, vector = 0;
  int parts() const { return panel / vector; }
  int64_t panels() const { return lanes / panel; }
};

/// The panels of a kernel.
struct Panels {
  int panel = 0;  ///< lanes of one
  int vector = 0; ///< lanes of a register
  /// Panels are as wide as divides the lanes.
  PanelShape shape(int64_t lanes) const;
};

enum class Form : uint8_t { Vector, Panels, OnePanel, Columns, Rows, Pointers };
std::string_view name(Form form);

struct Place {
  Form form = Form::Vector;
  mlir::Type
      element;     ///< as memory holds it: heldAs(); of Pointers the view's or an integer of some
  int laneDim = 0; ///< the tile's dimension across lanes
  int64_t rows = 1;
  PanelShape shape;
  int64_t filled = 0; ///< of the rows, the others are zero; 0: all

  int64_t rowStride() const;   ///< in elements
  int64_t panelStride() const; ///< likewise
  int64_t elements() const;    ///< that it takes in memory
  /// Lanes that are not side by side in memory.
  bool isInPanels() const {
    return form == Form::Panels || form == Form::OnePanel || form == Form::Columns;
  }
  bool isPointers() const { return form == Form::Pointers; }
};

/// The type in which an element of a computed tile is held: f32 for floats, i8 for i1.
mlir::Type heldAs(mlir::Type element);

/// `type` with this dimension across lanes, whole or the memory of one panel.
Place placeInPanels(const Panels &panels, mlir::RankedTensorType type, int laneDim,
                    Form form = Form::Panels);

} // namespace sparsec::cpu
