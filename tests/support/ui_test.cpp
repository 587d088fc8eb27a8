#include "tests/support/ui_test.h"

#include <imgui.h>
#include <imgui_internal.h>
#include <implot.h>

namespace lathe {

void UiTest::SetUp() {
  ImGui::CreateContext();
  ImPlot::CreateContext();
  ImGuiIO& io = ImGui::GetIO();
  io.IniFilename = nullptr;
  io.ConfigFlags |= ImGuiConfigFlags_DockingEnable | ImGuiConfigFlags_NavEnableKeyboard;
  io.BackendFlags |= ImGuiBackendFlags_RendererHasTextures | ImGuiBackendFlags_RendererHasVtxOffset;
  io.DeltaTime = 1.0F / 60.0F;
  resize(1280, 800);
  engine_ = ImGuiTestEngine_CreateContext();
  ImGuiTestEngineIO& test = ImGuiTestEngine_GetIO(engine_);
  test.ConfigRunSpeed = ImGuiTestRunSpeed_Fast;
  test.ConfigSavedSettings = false;
  test.ConfigNoThrottle = true;
  test.ConfigFixedDeltaTime = 1.0F / 60.0F;
  test.ConfigLogToTTY = true;
  test.ConfigVerboseLevel = ImGuiTestVerboseLevel_Error;
  test.ConfigVerboseLevelOnError = ImGuiTestVerboseLevel_Debug;
  ImGuiTestEngine_Start(engine_, ImGui::GetCurrentContext());
}

void UiTest::TearDown() {
  ImGuiTestEngine_Stop(engine_);
  ImPlot::DestroyContext();
  ImGui::DestroyContext();
  ImGuiTestEngine_DestroyContext(engine_);
}

void UiTest::resize(float width, float height) { ImGui::GetIO().DisplaySize = {width, height}; }

void UiTest::end_frame() {
  ImGui::Render();
  // What a renderer does with textures, without pixels.
  for (ImTextureData* texture : ImGui::GetPlatformIO().Textures) {
    if (texture->Status == ImTextureStatus_WantCreate) texture->SetTexID(1);
    if (texture->Status == ImTextureStatus_WantDestroy) {
      texture->SetTexID(ImTextureID_Invalid);
      texture->SetStatus(ImTextureStatus_Destroyed);
    } else {
      texture->SetStatus(ImTextureStatus_OK);
    }
  }
  ImGuiTestEngine_PostSwap(engine_);
}

void UiTest::frame(const Draw& draw) {
  ImGui::NewFrame();
  draw();
  end_frame();
}

void UiTest::drive(const Draw& draw, const Act& act) {
  ImGuiTest* test = ImGuiTestEngine_RegisterTest(engine_, "ui", "test", __FILE__, __LINE__);
  test->GuiFunc = [&draw](ImGuiTestContext*) { draw(); };
  test->TestFunc = [&act](ImGuiTestContext* context) { act(context); };
  ImGuiTestEngine_QueueTest(engine_, test);
  while (!ImGuiTestEngine_IsTestQueueEmpty(engine_)) {
    ImGui::NewFrame();
    end_frame();
  }
  EXPECT_EQ(test->Output.Status, ImGuiTestStatus_Success);
  ImGuiTestEngine_UnregisterTest(engine_, test);
}

void ShellTest::SetUp() {
  UiTest::SetUp();
  shell_ = std::make_unique<Shell>();
}

void ShellTest::TearDown() {
  shell_.reset();
  UiTest::TearDown();
}

void ShellTest::draw() {
  shell_->draw(session_, ui_, commands_);
  for (Command& command : commands_.take_posted()) {
    reduce(session_, command);
    if (on_command_) on_command_(command);
    posted_.push_back(std::move(command));
  }
  for (Request& request : commands_.take_requests()) requested_.push_back(std::move(request));
}

void ShellTest::act(const Act& act) {
  drive([this] { draw(); }, act);
}

void ShellTest::frames(int count) {
  for (int i = 0; i < count; ++i) frame([this] { draw(); });
}

}  // namespace lathe
