// A mixed load: what request number N asks for, and whether an answer to it is right to the bit.
#pragma once

#include <cstdint>
#include <string>

#include "bitplex/v1/classifier.pb.h"
#include "inference/grpc_service.pb.h"
#include "tests/load/answers.h"
#include "tests/load/pictures.h"

namespace bitplex::load {

// Thread-safe. The same number always gives the same request.
class MixedRequests {
 public:
  // Both must outlive it.
  MixedRequests(const Answers& answers, const std::vector<Picture>& pictures);

  // One picture, of any kind and task; the id is the number.
  v1::ClassifyRequest Classify(uint64_t number) const;
  // One to four pictures, as UINT8, FP32 or BYTES.
  inference::ModelInferRequest Infer(uint64_t number) const;

  // Empty when it is the right answer of the store that it names; else what is wrong.
  std::string Check(uint64_t number, const v1::ClassifyResponse& response) const;
  std::string Check(uint64_t number, const inference::ModelInferResponse& response) const;

 private:
  struct InferPlan;
  InferPlan Plan(uint64_t number) const;

  const Answers& answers_;
  const std::vector<Picture>& pictures_;
  std::vector<size_t> network_size_;  // Raw pictures of the network's own size.
  std::vector<size_t> encoded_;
};

}  // namespace bitplex::load
