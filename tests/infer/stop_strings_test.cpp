#include "model/infer/stop_strings.h"

#include <gtest/gtest.h>

namespace lathe {
namespace {

/// All that is shown of `text` when it arrives in pieces of `size` bytes.
std::string shown(StopStrings stops, const std::string& text, std::size_t size) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); i += size) result += stops.push(text.substr(i, size));
  return result + stops.finish();
}

TEST(StopStrings, ShowTheTextBeforeTheFirstStopHoweverItIsCut) {
  const std::string text = "one two\n\nUser: three END four";
  for (std::size_t size = 1; size <= text.size(); ++size) {
    SCOPED_TRACE(size);
    EXPECT_EQ(shown(StopStrings({"END", "\n\nUser:"}), text, size), "one two");
    EXPECT_EQ(shown(StopStrings({"END", "\n\nUser?"}), text, size), "one two\n\nUser: three ");
    EXPECT_EQ(shown(StopStrings({"absent"}), text, size), text);
    EXPECT_EQ(shown(StopStrings({}), text, size), text);
  }
}

TEST(StopStrings, HoldBackOnlyWhatMayBecomeAStop) {
  StopStrings stops({"aab"});

  EXPECT_EQ(stops.push("x"), "x");
  EXPECT_EQ(stops.push("aa"), "");
  EXPECT_EQ(stops.push("a"), "a");  // "aa" may still become "aab"
  EXPECT_FALSE(stops.stopped());
  EXPECT_EQ(stops.push("b and more"), "");
  EXPECT_TRUE(stops.stopped());
  EXPECT_EQ(stops.push("later"), "");
  EXPECT_EQ(stops.finish(), "");
}

TEST(StopStrings, GiveBackWhatWasHeldWhenTheTextEnds) {
  StopStrings stops({"STOP"});

  EXPECT_EQ(stops.push("say STO"), "say ");
  EXPECT_EQ(stops.finish(), "STO");
  EXPECT_FALSE(stops.stopped());
}

}  // namespace
}  // namespace lathe
