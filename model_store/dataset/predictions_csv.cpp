#include "model_store/dataset/predictions_csv.h"

namespace bitplex {

void WritePredictionsCsv(const CifarImages& images, absl::Span<const size_t> predicted,
                         std::ostream& out) {
  out << "index,label,predicted\n";
  for (size_t i = 0; i < images.size(); ++i) {
    out << i << ',' << int{images.labels[i]} << ',' << predicted[i] << '\n';
  }
}

}  // namespace bitplex
