#include "views/actions.h"

#include <imgui.h>

#include <map>
#include <set>

#include "tests/support/sample_session.h"
#include "tests/support/ui_test.h"

namespace lathe {
namespace {

class Actions : public UiTest {};

TEST_F(Actions, HaveNamesOfTheirOwn) {
  std::set<std::string> ids;
  for (const Action& action : actions()) EXPECT_TRUE(ids.insert(action.id).second) << action.id;
}

TEST_F(Actions, HaveKeysOfTheirOwn) {
  std::map<ImGuiKeyChord, const char*> keys;
  for (const Action& action : actions()) {
    if (action.key == 0) continue;
    EXPECT_TRUE(keys.emplace(action.key, action.id).second) << key_text(action.key) << " is also " << keys[action.key];
  }
}

TEST_F(Actions, WithoutAModelOnlyWhatNeedsNoneIsEnabled) {
  const Session session;
  UiState ui;
  Commands commands;
  const ActionContext context{session, ui, commands};
  for (const char* id : {"plan.convert", "train.start", "generate.write", "edit.undo", "edit.redo", "board.mla",
                         "plan.suggest", "job.cancel", "model.save"})
    EXPECT_FALSE(find_action(id)->enabled(context)) << id;
  EXPECT_TRUE(find_action("model.open-tiny")->enabled(context));
}

TEST_F(Actions, NothingStartsTwiceWhileAJobRuns) {
  const Session session = trained_session(10, /*running=*/true);
  UiState ui;
  Commands commands;
  follow(session, ui);
  const ActionContext context{session, ui, commands};
  EXPECT_FALSE(run_action("train.start", context));
  EXPECT_FALSE(run_action("generate.write", context));
  EXPECT_FALSE(run_action("edit.undo", context));
  EXPECT_TRUE(run_action("job.cancel", context));
  const std::vector<Command> posted = commands.take_posted();
  ASSERT_EQ(posted.size(), 1U);
  EXPECT_TRUE(std::holds_alternative<CancelJob>(posted.front().what));
}

TEST_F(Actions, AnUnknownNameRunsNothing) {
  const Session session;
  UiState ui;
  Commands commands;
  EXPECT_FALSE(run_action("no.such", {session, ui, commands}));
}

TEST_F(Actions, EveryEnabledActionRunsOnAFullSession) {
  for (const Action& action : actions()) {
    const Session session = full_session();
    UiState ui;
    Commands commands;
    follow(session, ui);
    ui.selection.only({2, LayerPart::Attention});
    ui.plan.edit("Plan", with_cell({}, session.model->config, {2, LayerPart::Attention}, true));
    follow(session, ui);
    ActionContext context{session, ui, commands};
    if (action.enabled(context)) action.run(context);
  }
}

TEST_F(Actions, WritingComparesOnlyAChangedModel) {
  UiState ui;
  Commands commands;
  const Session fresh = opened_session();
  write_text({fresh, ui, commands});
  EXPECT_EQ(commands.take_posted().size(), 1U);
  const Session changed = converted_session();
  write_text({changed, ui, commands});
  const std::vector<Command> posted = commands.take_posted();
  ASSERT_EQ(posted.size(), 2U);
  EXPECT_TRUE(std::get<Generate>(posted[1].what).original);
}

TEST_F(Actions, FuzzySearchPrefersStartsOfWords) {
  EXPECT_EQ(fuzzy_score("xyz", "Convert"), 0);
  EXPECT_GT(fuzzy_score("rl", "Reset layout"), fuzzy_score("rl", "Larger interface"));
  ASSERT_FALSE(search_actions("reset").empty());
  EXPECT_STREQ(search_actions("reset").front()->id, "view.reset-layout");
  EXPECT_EQ(search_actions("").size(), actions().size());
}

TEST_F(Actions, PicturesWaitUntilTheirMenuIsGone) {
  Commands commands;
  commands.ask_after(2, SavePicture{{0, 0, 10, 10}, "a.png", false});
  EXPECT_TRUE(commands.take_requests().empty());
  EXPECT_TRUE(commands.take_requests().empty());
  EXPECT_TRUE(commands.waits_for_frame());
  EXPECT_EQ(commands.take_requests().size(), 1U);
  EXPECT_FALSE(commands.waits_for_frame());
}

}  // namespace
}  // namespace lathe
