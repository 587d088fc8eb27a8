#include "model/data/channel.h"

#include <gtest/gtest.h>

#include <thread>

namespace lathe {
namespace {

TEST(Channel, KeepsOrderAndLosesNothingThroughBackPressure) {
  Channel<int> channel(16);
  std::jthread sender([&] {
    for (int i = 0; i < 10'000; ++i) ASSERT_TRUE(channel.send(i));
    channel.close();
  });
  int next = 0;
  while (next < 10'000) {
    for (const int value : channel.wait(std::chrono::seconds(60))) ASSERT_EQ(value, next++);
  }
}

TEST(Channel, AStopEndsAWaitingSend) {
  Channel<int> channel(1);
  ASSERT_TRUE(channel.send(1));
  std::stop_source stop;
  bool sent = true;
  std::jthread sender([&] { sent = channel.send(2, stop.get_token()); });
  stop.request_stop();
  sender.join();
  EXPECT_FALSE(sent);
  EXPECT_EQ(channel.drain(), std::vector<int>{1});
}

TEST(Channel, CloseEndsAWaitingReceiver) {
  Channel<int> channel;
  std::jthread closer([&] { channel.close(); });
  EXPECT_TRUE(channel.wait(std::chrono::seconds(60)).empty());
}

TEST(Latest, TheNewestWins) {
  Latest<int> latest;
  EXPECT_EQ(latest.get(), nullptr);
  latest.publish(std::make_shared<const int>(1));
  latest.publish(std::make_shared<const int>(2));
  EXPECT_EQ(*latest.get(), 2);
}

}  // namespace
}  // namespace lathe
