#include "app/history.h"

#include <gtest/gtest.h>

namespace lathe {
namespace {

TEST(History, UndoAndRedoReturnTheVeryStates) {
  History<int> history(0);
  history.add("one", 1);
  history.add("two", 2);
  history.undo();
  EXPECT_EQ(history.current(), 1);
  history.undo();
  EXPECT_EQ(history.current(), 0);
  EXPECT_FALSE(history.can_undo());
  history.redo();
  history.redo();
  EXPECT_EQ(history.current(), 2);
  EXPECT_FALSE(history.can_redo());
}

TEST(History, AddingDropsWhatCouldBeRedone) {
  History<int> history(0);
  history.add("one", 1);
  history.undo();
  history.add("other", 5);
  EXPECT_EQ(history.current(), 5);
  EXPECT_FALSE(history.can_redo());
  EXPECT_EQ(history.first(), 0);
}

TEST(History, TitlesAreListedInTheOrderTheyWouldBeTaken) {
  History<int> history(0);
  history.add("one", 1);
  history.add("two", 2);
  history.add("three", 3);
  history.undo();
  EXPECT_EQ(history.undo_titles(), (std::vector<std::string>{"two", "one"}));
  EXPECT_EQ(history.redo_titles(), std::vector<std::string>{"three"});
}

}  // namespace
}  // namespace lathe
