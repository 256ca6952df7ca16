// Notices when a file is replaced or changed.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "model_store/util/file_identity.h"

namespace bitplex {

// Looks at a file's identity, size and times at an interval, in a thread of its own: this also
// works on network file systems and through the symbolic links of Kubernetes volumes.
class StoreWatcher {
 public:
  // Calls `changed` on its thread when the file is another than at the call before, or, the first
  // time, than `known`, and has stayed as it is for one interval: who copies it into place in
  // pieces is let finish. A file that is missing is waited for. False from `changed` has it called
  // again after `retry`, though the file stays as it is.
  StoreWatcher(const std::string& path, const FileIdentity& known,
               std::chrono::milliseconds interval, std::chrono::milliseconds retry,
               std::function<bool()> changed);
  // Waits for a call that is under way.
  ~StoreWatcher();

 private:
  void Watch();

  const std::string path_;
  FileIdentity known_;  // The thread's.
  const std::chrono::milliseconds interval_;
  const std::chrono::milliseconds retry_;
  const std::function<bool()> changed_;
  std::mutex mutex_;
  std::condition_variable stop_changed_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace bitplex
