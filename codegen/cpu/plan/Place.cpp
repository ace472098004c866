#include "codegen/cpu/plan/Place.h"

namespace sparsec::cpu {

PanelShape Panels::shape(int64_t lanes) const {
  PanelShape shape{lanes, panel, vector};
  while (lanes % shape.panel)
    shape.panel /= 2;
  shape.vector = std::min(shape.vector, shape.panel);
  return shape;
}

std::string_view name(Form form) {
  constexpr std::string_view names[] = {"vector",  "panels", "one panel",
                                        "columns", "rows",   "pointers"};
  return names[int(form)];
}

int64_t Place::rowStride() const {
  switch (form) {
  case Form::Vector:
  case Form::Pointers:
    return 0;
  case Form::Panels:
  case Form::OnePanel:
  case Form::Columns:
    return shape.panel;
  case Form::Rows: // a cache line further apart than they are long: a column is not all in one set
    return shape.lanes + 16;
  }
  return 0;
}

int64_t Place::panelStride() const {
  switch (form) {
  case Form::OnePanel:
  case Form::Pointers:
    return 0;
  case Form::Vector:
  case Form::Rows:
    return shape.panel;
  case Form::Panels:
  case Form::Columns:
    return shape.panel * rows;
  }
  return 0;
}

int64_t Place::elements() const {
  switch (form) {
  case Form::Vector:
    return shape.lanes;
  case Form::Panels:
  case Form::Columns:
    return rows * shape.lanes;
  case Form::OnePanel:
    return rows * shape.panel;
  case Form::Rows:
    return rows * rowStride();
  case Form::Pointers:
    return 0;
  }
  return 0;
}

mlir::Type heldAs(mlir::Type element) {
  mlir::MLIRContext *context = element.getContext();
  if (mlir::isa<mlir::FloatType>(element))
    return mlir::Float32Type::get(context);
  if (element.isIndex())
    return mlir::IntegerType::get(context, 64);
  return element.isInteger(1) ? mlir::IntegerType::get(context, 8) : element;
}

Place placeInPanels(const Panels &panels, mlir::RankedTensorType type, int laneDim, Form form) {
  Place place;
  place.form = form;
  place.element = heldAs(type.getElementType());
  place.laneDim = laneDim;
  place.rows = type.getDimSize(1 - laneDim);
  place.shape = panels.shape(type.getDimSize(laneDim));
  return place;
}

} // namespace sparsec::cpu
