#include "tests/service/serving_fixture.h"

#include <grpcpp/create_channel.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <random>

#include "absl/strings/str_cat.h"
#include "server/executor/choose_precision.h"
#include "server/image/normalize.h"
#include "tests/unit/tiny_network.h"

namespace bitplex::test {
namespace {

[[noreturn]] void Die(const absl::Status& status) {
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  std::abort();
}

// Removed when the program ends.
struct MadeStores {
  ~MadeStores() {
    for (const std::string& path : paths) std::remove(path.c_str());
  }
  std::vector<std::string> paths;
};

}  // namespace

std::string MakeStore(const std::string& arch_name, const std::vector<unsigned>& bits) {
  static MadeStores made;
  const Architecture& arch = Arch(arch_name);
  std::vector<FuseTask> tasks;
  for (size_t t = 0; t < bits.size(); ++t) {
    tasks.push_back(RandomTask(arch, {.name = absl::StrCat("task", t),
                                      .bits = bits[t],
                                      .classes = 3 + t,
                                      .seed = static_cast<uint32_t>(100 + t)}));
    tasks.back().info.activation_scales.assign(arch.convs.size() + 1, 0.03f);
  }
  const std::string path = TempPath(absl::StrCat("service", made.paths.size(), ".bpx"));
  made.paths.push_back(path);
  if (absl::Status status = FuseToFile(arch, tasks, path); !status.ok()) Die(status);
  return path;
}

ServerOptions OptionsFor(const std::string& store) {
  ServerOptions options;
  options.store = store;
  options.listen = "127.0.0.1:0";
  options.engine.batcher.workers = 1;
  return options;
}

std::unique_ptr<Server> StartOrDie(const ServerOptions& options) {
  absl::StatusOr<std::unique_ptr<Server>> server = Server::Start(options);
  if (!server.ok()) Die(server.status());
  return *std::move(server);
}

std::unique_ptr<v1::Classifier::Stub> Connect(const Server& server) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return v1::Classifier::NewStub(grpc::CreateCustomChannel(
      absl::StrCat("127.0.0.1:", server.port()), grpc::InsecureChannelCredentials(), arguments));
}

std::vector<uint8_t> RandomRgb(size_t height, size_t width, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<uint8_t> rgb(height * width * 3);
  for (uint8_t& value : rgb) value = static_cast<uint8_t>(random() >> 24);
  return rgb;
}

v1::ClassifyRequest RawRequest(const std::string& task, size_t height, size_t width,
                               uint32_t seed) {
  v1::ClassifyRequest request;
  request.set_task(task);
  v1::RawImage& raw = *request.mutable_image()->mutable_raw();
  raw.set_height(static_cast<uint32_t>(height));
  raw.set_width(static_cast<uint32_t>(width));
  const std::vector<uint8_t> rgb = RandomRgb(height, width, seed);
  raw.set_rgb(rgb.data(), rgb.size());
  return request;
}

const Executor& SharedExecutor() {
  static const std::unique_ptr<Executor> executor = [] {
    absl::StatusOr<std::unique_ptr<Executor>> loaded = LoadExecutor("onednn");
    if (!loaded.ok()) Die(loaded.status());
    return *std::move(loaded);
  }();
  return *executor;
}

std::vector<float> OfflineLogits(const std::string& path, const std::string& task, Reading reading,
                                 const std::vector<uint8_t>& rgb,
                                 std::optional<Precision> precision) {
  const auto store = FusedStore::Open(path);
  if (!store.ok()) Die(store.status());
  const auto index = (*store)->FindTask(task);
  if (!index.ok()) Die(index.status());
  const TaskInfo& info = (*store)->tasks()[*index];
  const auto view = std::make_shared<const TaskView>((*store)->View(*index, reading));
  const auto chosen = ChoosePrecision(SharedExecutor(), *view, precision);
  if (!chosen.ok()) Die(chosen.status());
  const auto network = SharedExecutor().Prepare(view, *chosen);
  if (!network.ok()) Die(network.status());
  const auto weights = (*network)->Pack();
  if (!weights.ok()) Die(weights.status());
  std::vector<float> input(rgb.size());
  NormalizeRgb8(rgb, info.mean, info.std, absl::MakeSpan(input));
  std::vector<float> logits(info.labels.size());
  const absl::Status status = (*network)->Run(**weights, input, 1, absl::MakeSpan(logits));
  if (!status.ok()) Die(status);
  return logits;
}

}  // namespace bitplex::test
