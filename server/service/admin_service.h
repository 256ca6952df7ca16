// What an operator may ask of a running server.
#pragma once

#include "bitplex/v1/admin.grpc.pb.h"
#include "server/lifecycle/reloader.h"
#include "server/serving/model_host.h"

namespace bitplex {

// Thread-safe. Synchronous: its calls may take seconds, on threads that only they use.
class AdminService final : public v1::Admin::Service {
 public:
  // Both must outlive the server that this service is registered with.
  AdminService(ModelHost& host, Reloader& reloader) : host_(host), reloader_(reloader) {}

  grpc::Status Reload(grpc::ServerContext* context, const v1::ReloadRequest* request,
                      v1::ReloadResponse* response) override;
  grpc::Status Evict(grpc::ServerContext* context, const v1::EvictRequest* request,
                     v1::EvictResponse* response) override;

 private:
  ModelHost& host_;
  Reloader& reloader_;
};

}  // namespace bitplex
