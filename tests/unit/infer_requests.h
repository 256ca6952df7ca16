// Requests of the Open Inference Protocol, as a well-meaning client builds them.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "inference/grpc_service.pb.h"

namespace bitplex::test {

using InferRequest = inference::ModelInferRequest;

inline InferRequest::InferInputTensor& AddImage(InferRequest& request, const std::string& datatype,
                                                const std::vector<int64_t>& shape) {
  InferRequest::InferInputTensor& input = *request.add_inputs();
  input.set_name("image");
  input.set_datatype(datatype);
  input.mutable_shape()->Add(shape.begin(), shape.end());
  return input;
}

template <typename T>
std::string RawBytes(const std::vector<T>& values) {
  return std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}

inline std::string WithLength(const std::string& bytes) {
  return RawBytes(std::vector<uint32_t>{static_cast<uint32_t>(bytes.size())}) + bytes;
}

template <typename T>
InferRequest RawTensorRequest(const std::string& datatype, const std::vector<int64_t>& shape,
                              const std::vector<T>& values) {
  InferRequest request;
  AddImage(request, datatype, shape);
  request.add_raw_input_contents(RawBytes(values));
  return request;
}

// [N, channels, pixels] from [N, pixels, channels].
template <typename T>
std::vector<T> Planar(const std::vector<T>& interleaved, size_t pixels) {
  std::vector<T> planar;
  for (size_t first = 0; first < interleaved.size(); first += pixels * 3) {
    for (size_t channel = 0; channel < 3; ++channel) {
      for (size_t pixel = 0; pixel < pixels; ++pixel) {
        planar.push_back(interleaved[first + pixel * 3 + channel]);
      }
    }
  }
  return planar;
}

inline InferRequest::InferRequestedOutputTensor& AddOutput(InferRequest& request,
                                                           const std::string& name) {
  InferRequest::InferRequestedOutputTensor& output = *request.add_outputs();
  output.set_name(name);
  return output;
}

inline void AddClasses(InferRequest& request, const std::string& name, int64_t classes) {
  (*AddOutput(request, name).mutable_parameters())["classification"].set_int64_param(classes);
}

}  // namespace bitplex::test
