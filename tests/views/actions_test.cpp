#include "views/actions.h"

#include <imgui.h>

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "tests/support/sample_session.h"
#include "tests/support/ui_test.h"
#include "views/reasons.h"

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

/// Everything that an action may change, as one text.
std::string traces(const UiState& ui, Commands& commands) {
  std::string text = settings_to_json(ui.settings).dump() + "|" + std::to_string(static_cast<int>(ui.dialog)) + "|" +
                     std::to_string(ui.plan.version()) + "|" + std::to_string(ui.selection.cells.size()) + "|" +
                     std::to_string(ui.tour_step) + "|" + std::to_string(ui.reset_layout);
  text += "|" + std::to_string(commands.take_posted().size()) + "|" + std::to_string(commands.take_requests().size());
  return text;
}

TEST_F(Actions, EveryEnabledActionDoesSomethingOnAFullSession) {
  for (const Action& action : actions()) {
    Session session = full_session();
    session.model->redo = {"Train 60 steps"};
    UiState ui;
    Commands commands;
    // Not where any of them leads.
    ui.settings.scale = 1.5F;
    const bool to_design = std::string_view(action.id) == "workspace.design";
    ui.settings.workspace = to_design ? Workspace::Train : Workspace::Design;
    follow(session, ui);
    ui.selection.only({2, LayerPart::Attention});
    ui.plan.edit("Plan", with_cell({}, session.model->config, {2, LayerPart::Attention}, true));
    follow(session, ui);
    const std::string before = traces(ui, commands);
    const bool ran = run_action(action.id, {session, ui, commands});
    EXPECT_EQ(ran, std::string_view(action.id) != "job.cancel") << action.id << ": no job runs to be cancelled";
    EXPECT_TRUE(!ran || traces(ui, commands) != before) << action.id;
  }
}

TEST_F(Actions, HealingNeedsWeightsThatTrain) {
  const Session session = opened_session();
  UiState ui;
  Commands commands;
  const ActionContext context{session, ui, commands};
  EXPECT_FALSE(run_action("train.start", context));
  EXPECT_NE(why_not_train(context), nullptr);
  ui.train.trainable = Trainable::All;
  EXPECT_TRUE(run_action("train.start", context));
  const Session converted = converted_session();
  ui.train.trainable = Trainable::Converted;
  EXPECT_EQ(why_not_train({converted, ui, commands}), nullptr);
}

TEST_F(Actions, WritingNeedsAPromptWhereNoTokenBeginsAText) {
  Session session = opened_session();
  UiState ui;
  Commands commands;
  EXPECT_TRUE(run_action("generate.write", {session, ui, commands}));  // the prompt that is there from the start
  ui.generate.prompt.clear();
  EXPECT_FALSE(run_action("generate.write", {session, ui, commands}));
  session.model->config.bos_token_id = 1;
  EXPECT_TRUE(run_action("generate.write", {session, ui, commands}));
}

TEST_F(Actions, StopEndsTheOriginalsWritingToo) {
  const Session session = converted_session();
  UiState ui;
  Commands commands;
  while (commands.post(Undo{}) < session.jobs.back().id) continue;  // ids that are still free
  write_text({session, ui, commands});
  commands.take_posted();
  stop_writing({session, ui, commands});
  EXPECT_EQ(commands.take_posted().size(), 2U);
}

TEST_F(Actions, ZoomComesBackToWhereItWas) {
  const Session session;
  UiState ui;
  Commands commands;
  const ActionContext context{session, ui, commands};
  for (int i = 0; i < 7; ++i) run_action("view.larger", context);
  for (int i = 0; i < 7; ++i) run_action("view.smaller", context);
  EXPECT_EQ(ui.settings.scale, 1.0F);
  for (int i = 0; i < 20; ++i) run_action("view.larger", context);
  EXPECT_EQ(ui.settings.scale, 2.0F);
  run_action("view.actual-size", context);
  EXPECT_EQ(ui.settings.scale, 1.0F);
}

TEST_F(Actions, APlanThatComesBeforeItsModelWaitsForIt) {
  Session session;
  UiState ui;
  Commands commands;
  load_recipe({session, ui, commands}, {"sample", "", sample_plan()});
  EXPECT_TRUE(ui.plan.plan().empty());
  EXPECT_NE(ui.notice.text.find("open one"), std::string::npos);
  session = opened_session();
  ui.open_job = session.jobs.front().id;
  ui.opening = {"tiny"};
  follow(session, ui);
  EXPECT_EQ(ui.plan.plan(), sample_plan());
  EXPECT_FALSE(ui.waiting_plan.has_value());
}

TEST_F(Actions, RecentModelsAreFoundFromAnyFolder) {
  const Session session = opened_session();
  UiState ui;
  for (const char* path : {"models/./a", "tiny", "/models/b", "models/a"}) {
    ui.open_job = session.jobs.front().id;
    ui.opening = {path};
    follow(session, ui);
  }
  const std::string here = std::filesystem::current_path() / "models/a";
  EXPECT_EQ(ui.settings.recent, (std::vector<RecentModel>{{here}, {"/models/b"}, {"tiny"}}));
}

TEST_F(Actions, ARecentModelKeepsTheConfigThatItWasOpenedWith) {
  const Session session = opened_session();
  UiState ui;
  for (const RecentModel& model : {RecentModel{"/w.safetensors"}, RecentModel{"/w.safetensors", "configs/c.json"}}) {
    ui.open_job = session.jobs.front().id;
    ui.opening = model;
    follow(session, ui);
  }
  const std::string config = std::filesystem::current_path() / "configs/c.json";
  EXPECT_EQ(ui.settings.recent, (std::vector<RecentModel>{{"/w.safetensors", config}}));
}

TEST_F(Actions, AModelWithoutATemplateIsNotAskedToChat) {
  Session session = opened_session();
  UiState ui;
  ui.generate.chat = true;
  ui.train.kl_weight = 1.0;
  follow(session, ui);
  EXPECT_FALSE(ui.generate.chat);
  EXPECT_EQ(ui.train.kl_weight, 1.0);
  session = converted_session();
  session.model->undo.clear();  // as it was saved and opened again
  session.model->path = "/models/converted";
  follow(session, ui);
  EXPECT_EQ(ui.train.kl_weight, 0.0);
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
