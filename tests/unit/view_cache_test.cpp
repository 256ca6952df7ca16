#include "server/serving/view_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace bitplex {
namespace {

class Weights final : public PackedWeights {
 public:
  explicit Weights(size_t bytes) : memory_(bytes) {}
  size_t bytes() const override { return memory_.size(); }

 private:
  std::vector<char> memory_;
};

ViewCache::Weights TinyWeights(size_t size) {
  return std::make_shared<const Weights>(1000 + 10 * size);
}

// Makes views and knows which of them are alive.
class Maker {
 public:
  explicit Maker(size_t classes = 10) : classes_(classes), bytes_(TinyWeights(classes)->bytes()) {}

  size_t bytes() const { return bytes_; }
  int made() const { return made_; }
  int alive() const { return alive_; }

  ViewCache::Materialize Make() {
    return [this]() -> absl::StatusOr<ViewCache::Weights> {
      ++made_;
      ++alive_;
      ViewCache::Weights real = TinyWeights(classes_);
      const PackedWeights* raw = real.get();
      return ViewCache::Weights(raw, [this, real](const PackedWeights*) mutable {
        real.reset();
        --alive_;
      });
    };
  }

 private:
  const size_t classes_;
  const size_t bytes_;
  std::atomic<int> made_{0};
  std::atomic<int> alive_{0};
};

absl::StatusOr<ViewCache::Weights> MustNotRun() {
  ADD_FAILURE() << "materialised without need";
  return absl::InternalError("not needed");
}

bool Present(const ViewCache& cache, size_t task) { return cache.ResidentBytes(task) > 0; }

// Acquires, expects a view, and lets it go.
void Use(ViewCache& cache, size_t task, Maker& maker) {
  const auto pin = cache.Acquire(task, maker.bytes(), maker.Make());
  ASSERT_TRUE(pin.ok()) << pin.status();
  EXPECT_TRUE(*pin);
}

TEST(ViewCacheTest, FirstAcquireMakesAndTheNextFinds) {
  Maker maker;
  ViewCache cache(maker.bytes(), 1);
  Use(cache, 0, maker);
  const auto pin = cache.Acquire(0, maker.bytes(), MustNotRun);
  ASSERT_TRUE(pin.ok());
  EXPECT_EQ((*pin)->bytes(), maker.bytes());
  EXPECT_EQ(cache.ResidentBytes(0), maker.bytes());
  const ViewCacheStats stats = cache.Stats();
  EXPECT_EQ(stats.budget_bytes, maker.bytes());
  EXPECT_EQ(stats.bytes, maker.bytes());
  EXPECT_EQ(stats.materializations, 1u);
  EXPECT_EQ(stats.hits, 1u);
  EXPECT_EQ(stats.evictions, 0u);
  EXPECT_EQ(stats.streamed, 0u);
}

TEST(ViewCacheTest, ManyAcquiresOfAColdTaskMakeItOnce) {
  constexpr int kThreads = 64;
  Maker maker;
  ViewCache cache(maker.bytes(), 1);
  std::latch all_here(kThreads);
  std::atomic<int> views{0};
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&] {
        all_here.arrive_and_wait();
        const auto pin = cache.Acquire(0, maker.bytes(), maker.Make());
        views += pin.ok() && *pin && (*pin)->bytes() == maker.bytes();
      });
    }
  }
  EXPECT_EQ(views, kThreads);
  EXPECT_EQ(maker.made(), 1);
  EXPECT_EQ(cache.Stats().hits, kThreads - 1u);
  EXPECT_EQ(cache.Stats().materializations, 1u);
}

TEST(ViewCacheTest, AFailureReachesAllWhoWaitAndALaterCallTriesAgain) {
  constexpr int kThreads = 16;
  Maker maker;
  ViewCache cache(maker.bytes(), 1);
  std::atomic<int> attempts{0}, unavailable{0};
  std::latch all_here(kThreads);
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&] {
        all_here.arrive_and_wait();
        const auto pin = cache.Acquire(0, maker.bytes(), [&] {
          ++attempts;
          return absl::UnavailableError("the disk has gone");
        });
        unavailable += pin.status().code() == absl::StatusCode::kUnavailable;
      });
    }
  }
  EXPECT_EQ(unavailable, kThreads);
  EXPECT_GE(attempts, 1);
  EXPECT_EQ(cache.Stats().bytes, 0u);
  EXPECT_FALSE(Present(cache, 0));
  Use(cache, 0, maker);
  EXPECT_EQ(cache.Stats().materializations, 1u);
}

TEST(ViewCacheTest, TheLeastRecentlyUsedGoesFirst) {
  Maker maker;
  ViewCache cache(3 * maker.bytes(), 5);
  for (const size_t task : {0, 1, 2, 0}) Use(cache, task, maker);
  Use(cache, 3, maker);
  EXPECT_FALSE(Present(cache, 1));
  Use(cache, 4, maker);
  EXPECT_FALSE(Present(cache, 2));
  EXPECT_TRUE(Present(cache, 0));
  EXPECT_EQ(maker.alive(), 3);
}

TEST(ViewCacheTest, TheEndOfAPinCountsAsUse) {
  Maker maker;
  ViewCache cache(2 * maker.bytes(), 3);
  {
    const auto long_run = cache.Acquire(0, maker.bytes(), maker.Make());
    Use(cache, 1, maker);
  }
  Use(cache, 2, maker);
  EXPECT_TRUE(Present(cache, 0));
  EXPECT_FALSE(Present(cache, 1));
}

TEST(ViewCacheTest, PinnedViewsStayAndTheCallerStreams) {
  Maker maker;
  ViewCache cache(2 * maker.bytes(), 3);
  {
    const auto pin0 = cache.Acquire(0, maker.bytes(), maker.Make());
    const auto pin1 = cache.Acquire(1, maker.bytes(), maker.Make());
    const auto pin2 = cache.Acquire(2, maker.bytes(), MustNotRun);
    ASSERT_TRUE(pin2.ok());
    EXPECT_FALSE(*pin2);
    EXPECT_FALSE(cache.Evict(0));
    cache.EvictAll();
    EXPECT_TRUE(Present(cache, 0) && Present(cache, 1));
    EXPECT_EQ(cache.Stats().streamed, 1u);
  }
  Use(cache, 2, maker);
  EXPECT_EQ(cache.Stats().evictions, 1u);
}

TEST(ViewCacheTest, AMovedPinStillHoldsAndReleasesOnce) {
  Maker maker;
  ViewCache cache(maker.bytes(), 2);
  ViewCache::Pin kept;
  {
    auto pin = cache.Acquire(0, maker.bytes(), maker.Make());
    kept = *std::move(pin);
  }
  EXPECT_FALSE(*cache.Acquire(1, maker.bytes(), MustNotRun));
  kept.reset();
  Use(cache, 1, maker);
}

TEST(ViewCacheTest, NothingIsEvictedForAViewThatCannotFit) {
  Maker maker;
  ViewCache cache(2 * maker.bytes(), 3);
  Use(cache, 0, maker);
  const auto pin1 = cache.Acquire(1, maker.bytes(), maker.Make());
  EXPECT_FALSE(*cache.Acquire(2, 2 * maker.bytes(), MustNotRun));
  EXPECT_FALSE(*cache.Acquire(2, SIZE_MAX, MustNotRun));
  EXPECT_TRUE(Present(cache, 0));
  EXPECT_EQ(cache.Stats().evictions, 0u);
}

TEST(ViewCacheTest, ABudgetOfZeroAlwaysStreams) {
  Maker maker;
  ViewCache cache(0, 2);
  for (size_t i = 0; i < 6; ++i) EXPECT_FALSE(*cache.Acquire(i % 2, maker.bytes(), MustNotRun));
  EXPECT_EQ(cache.Stats().streamed, 6u);
  EXPECT_EQ(cache.Stats().bytes, 0u);
}

TEST(ViewCacheTest, TwoTasksTakeTurnsInABudgetForOne) {
  Maker maker;
  ViewCache cache(maker.bytes() + maker.bytes() / 2, 2);
  for (size_t i = 0; i < 10; ++i) {
    Use(cache, i % 2, maker);
    EXPECT_EQ(maker.alive(), 1) << "the old view goes before the new one is made";
    EXPECT_EQ(cache.Stats().bytes, maker.bytes());
  }
  EXPECT_EQ(cache.Stats().materializations, 10u);
  EXPECT_EQ(cache.Stats().evictions, 9u);
}

TEST(ViewCacheTest, TheEvictedViewIsGoneBeforeTheNewOneIsMade) {
  Maker maker;
  ViewCache cache(maker.bytes(), 2);
  Use(cache, 0, maker);
  int alive_at_start = -1;
  const auto pin = cache.Acquire(1, maker.bytes(), [&] {
    alive_at_start = maker.alive();
    return maker.Make()();
  });
  EXPECT_TRUE(*pin);
  EXPECT_EQ(alive_at_start, 0);
}

TEST(ViewCacheTest, AViewUnderConstructionCountsAndBlocksNoOtherTask) {
  Maker maker;
  ViewCache cache(2 * maker.bytes(), 3);
  // Task 0's construction goes on while the others are asked for: if they waited, this would hang.
  const auto pin0 = cache.Acquire(0, maker.bytes(), [&] {
    EXPECT_EQ(cache.Stats().bytes, maker.bytes());
    EXPECT_EQ(cache.ResidentBytes(0), 0u);
    std::jthread([&] {
      const auto pin1 = cache.Acquire(1, maker.bytes(), maker.Make());
      EXPECT_TRUE(*pin1);
      EXPECT_FALSE(*cache.Acquire(2, maker.bytes(), MustNotRun)) << "one made, one being made";
    }).join();
    return maker.Make()();
  });
  EXPECT_TRUE(*pin0);
}

TEST(ViewCacheTest, EvictGivesMemoryBack) {
  Maker maker;
  ViewCache cache(3 * maker.bytes(), 3);
  for (const size_t task : {0, 1, 2}) Use(cache, task, maker);
  EXPECT_TRUE(cache.Evict(1));
  EXPECT_FALSE(cache.Evict(1));
  EXPECT_EQ(maker.alive(), 2);
  EXPECT_EQ(cache.Stats().bytes, 2 * maker.bytes());
  cache.EvictAll();
  EXPECT_EQ(maker.alive(), 0);
  EXPECT_EQ(cache.Stats().bytes, 0u);
  EXPECT_EQ(cache.Stats().evictions, 3u);
}

TEST(ViewCacheTest, AViewLargerThanItSaidIsNotKept) {
  Maker maker;
  ViewCache cache(2 * maker.bytes(), 1);
  EXPECT_EQ(cache.Acquire(0, maker.bytes() - 1, maker.Make()).status().code(),
            absl::StatusCode::kInternal);
  EXPECT_EQ(cache.Acquire(0, maker.bytes(), [] { return ViewCache::Weights(); }).status().code(),
            absl::StatusCode::kInternal);
  EXPECT_EQ(maker.alive(), 0);
  EXPECT_EQ(cache.Stats().bytes, 0u);
}

TEST(ViewCacheTest, AViewSmallerThanItSaidCountsWhatItTakes) {
  Maker maker;
  ViewCache cache(2 * maker.bytes(), 1);
  EXPECT_TRUE(*cache.Acquire(0, 2 * maker.bytes(), maker.Make()));
  EXPECT_EQ(cache.Stats().bytes, maker.bytes());
}

TEST(ViewCacheTest, AnUnknownTaskIsRefused) {
  ViewCache cache(1000, 2);
  EXPECT_EQ(cache.Acquire(2, 1, MustNotRun).status().code(), absl::StatusCode::kInternal);
  EXPECT_FALSE(cache.Evict(2));
  EXPECT_EQ(cache.ResidentBytes(2), 0u);
}

// Tasks of different sizes, failures and evictions at random from many threads. The bytes that are
// really alive are counted beside the cache and must never pass the budget.
TEST(ViewCacheTest, TheBudgetHoldsUnderARandomLoad) {
  constexpr size_t kThreads = 8, kSteps = 150;
  std::vector<std::unique_ptr<Maker>> makers;
  size_t total_bytes = 0;
  for (const size_t classes : {2, 500, 100, 1000, 10}) {
    makers.push_back(std::make_unique<Maker>(classes));
    total_bytes += makers.back()->bytes();
  }
  const size_t budget_bytes = total_bytes * 3 / 5;
  ViewCache cache(budget_bytes, makers.size());
  std::atomic<size_t> live_bytes{0};
  std::atomic<uint64_t> attempts{0}, pins{0}, empty_pins{0}, failures{0}, over_budget{0};
  {
    std::vector<std::jthread> threads;
    for (size_t t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        std::minstd_rand random(static_cast<unsigned>(t + 1));
        std::vector<ViewCache::Pin> held;
        for (size_t step = 0; step < kSteps; ++step) {
          const size_t task = random() % makers.size();
          const size_t bytes = makers[task]->bytes();
          auto pin = cache.Acquire(task, bytes, [&]() -> absl::StatusOr<ViewCache::Weights> {
            over_budget += (live_bytes += bytes) > budget_bytes;
            if (++attempts % 4 == 0) {
              live_bytes -= bytes;
              return absl::UnavailableError("every fourth time");
            }
            ViewCache::Weights real = *makers[task]->Make()();
            const PackedWeights* raw = real.get();
            return ViewCache::Weights(raw,
                                      [&live_bytes, real, bytes](const PackedWeights*) mutable {
                                        real.reset();
                                        live_bytes -= bytes;
                                      });
          });
          over_budget += cache.Stats().bytes > budget_bytes;
          if (!pin.ok()) {
            ++failures;
          } else if (*pin) {
            ++pins;
            over_budget += (*pin)->bytes() != bytes;
            if (random() % 2 == 0) held.push_back(*std::move(pin));
          } else {
            ++empty_pins;
          }
          if (held.size() > 2 || random() % 4 == 0) held.clear();
          if (random() % 4 == 0) cache.Evict(task);
          if (random() % 16 == 0) cache.EvictAll();
        }
      });
    }
  }
  EXPECT_EQ(over_budget, 0u);
  const ViewCacheStats stats = cache.Stats();
  EXPECT_EQ(stats.bytes, live_bytes);
  EXPECT_EQ(stats.hits + stats.materializations, pins);
  EXPECT_EQ(stats.streamed, empty_pins);
  EXPECT_EQ(pins + empty_pins + failures, kThreads * kSteps);
  EXPECT_GT(stats.evictions, 0u);
  EXPECT_GT(failures, 0u);
  cache.EvictAll();
  EXPECT_EQ(cache.Stats().bytes, 0u);
  EXPECT_EQ(live_bytes, 0u);
}

}  // namespace
}  // namespace bitplex
