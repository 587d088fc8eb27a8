#pragma once

#include <gtest/gtest.h>
#include <imgui_te_context.h>
#include <imgui_te_engine.h>

#include <functional>
#include <vector>

#include "model/data/session.h"
#include "views/shell.h"

namespace lathe {

/// Dear ImGui with the test engine and a renderer that draws nothing; fresh contexts for each test, so that no state
/// leaks from one to the next.
class UiTest : public ::testing::Test {
 protected:
  using Draw = std::function<void()>;
  using Act = std::function<void(ImGuiTestContext* context)>;

  void SetUp() override;
  void TearDown() override;

  /// Draws `draw` every frame while `act` acts as a user; fails the test if an action failed (a button not found).
  void drive(const Draw& draw, const Act& act);
  /// One frame without a user.
  void frame(const Draw& draw);
  /// The size of the window; 1280 x 800 unless told.
  void resize(float width, float height);

 private:
  void end_frame();
  ImGuiTestEngine* engine_ = nullptr;
};

/// The whole window over a session that the test holds. What is posted is kept, and shown to the session at once as the
/// program does; `on_command` may answer with events like an engine.
class ShellTest : public UiTest {
 protected:
  void SetUp() override;
  void TearDown() override;

  void act(const Act& act);
  void frames(int count);

  /// The posted commands of one kind, in order.
  template <typename T>
  std::vector<T> posted() const {
    std::vector<T> found;
    for (const Command& command : posted_)
      if (const T* what = std::get_if<T>(&command.what)) found.push_back(*what);
    return found;
  }
  template <typename T>
  std::vector<T> requested() const {
    std::vector<T> found;
    for (const Request& request : requested_)
      if (const T* what = std::get_if<T>(&request)) found.push_back(*what);
    return found;
  }

  Session session_;
  UiState ui_;
  Commands commands_;
  std::vector<Command> posted_;
  std::vector<Request> requested_;
  std::function<void(const Command&)> on_command_;

 private:
  void draw();
  std::unique_ptr<Shell> shell_;
};

}  // namespace lathe
