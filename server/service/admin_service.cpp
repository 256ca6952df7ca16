#include "server/service/admin_service.h"

#include "server/service/convert.h"

namespace bitplex {

grpc::Status AdminService::Reload(grpc::ServerContext*, const v1::ReloadRequest*,
                                  v1::ReloadResponse* response) {
  const absl::StatusOr<ReloadResult> result = reloader_.Reload("rpc");
  if (!result.ok()) return ToGrpc(result.status());
  response->set_changed(result->changed);
  response->set_previous_version(result->previous_version);
  response->set_version(result->version);
  response->mutable_added()->Add(result->added.begin(), result->added.end());
  response->mutable_removed()->Add(result->removed.begin(), result->removed.end());
  return grpc::Status::OK;
}

grpc::Status AdminService::Evict(grpc::ServerContext*, const v1::EvictRequest* request,
                                 v1::EvictResponse* response) {
  const std::shared_ptr<Engine> engine = host_.Current();
  if (request->task().empty()) {
    for (size_t task = 0; task < engine->set().tasks.size(); ++task) {
      response->set_freed_bytes(response->freed_bytes() + engine->Evict(task));
    }
    return grpc::Status::OK;
  }
  const absl::StatusOr<size_t> task = engine->set().Find(request->task());
  if (!task.ok()) return ToGrpc(task.status());
  response->set_freed_bytes(engine->Evict(*task));
  return grpc::Status::OK;
}

}  // namespace bitplex
