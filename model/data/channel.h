#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <stop_token>
#include <utility>
#include <vector>

namespace lathe {

/// Ordered, lossless, bounded: send() waits while full and gives up only when a stop is requested or the channel
/// closes; drain() takes all at once and never waits.
template <typename T>
class Channel {
 public:
  explicit Channel(std::size_t capacity = 4096) : capacity_(capacity) {}

  /// False if the value was not sent because of a stop or close.
  bool send(T value, std::stop_token stop = {}) {
    std::unique_lock lock(mutex_);
    const bool room = room_.wait(lock, stop, [this] { return closed_ || items_.size() < capacity_; });
    if (!room || closed_) return false;
    items_.push_back(std::move(value));
    filled_.notify_one();
    return true;
  }

  std::vector<T> drain() {
    std::vector<T> taken;
    {
      std::lock_guard lock(mutex_);
      taken.swap(items_);
    }
    room_.notify_all();
    return taken;
  }

  /// Waits for at least one value, at most `limit`; empty when the time is over or the channel closed and drained.
  std::vector<T> wait(std::chrono::milliseconds limit) {
    std::vector<T> taken;
    {
      std::unique_lock lock(mutex_);
      filled_.wait_for(lock, limit, [this] { return closed_ || !items_.empty(); });
      taken.swap(items_);
    }
    room_.notify_all();
    return taken;
  }

  void close() {
    {
      std::lock_guard lock(mutex_);
      closed_ = true;
    }
    room_.notify_all();
    filled_.notify_all();
  }

 private:
  const std::size_t capacity_;
  std::mutex mutex_;
  std::condition_variable_any room_;
  std::condition_variable_any filled_;
  std::vector<T> items_;
  bool closed_ = false;
};

/// Newest wins: publish() replaces, get() shares what was published last (null before the first).
template <typename T>
class Latest {
 public:
  void publish(std::shared_ptr<const T> value) {
    std::lock_guard lock(mutex_);
    value_.swap(value);
  }
  std::shared_ptr<const T> get() const {
    std::lock_guard lock(mutex_);
    return value_;
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const T> value_;
};

}  // namespace lathe
