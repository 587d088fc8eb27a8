#include "app/window.h"

// GLFW's own OpenGL include leaves out what is newer than 1.1; this program needs glReadPixels and no more.
#include <GLFW/glfw3.h>
#include <imgui.h>
#include <imgui_impl_glfw.h>
#include <imgui_impl_opengl3.h>
#include <implot.h>

#include <algorithm>
#include <atomic>

namespace lathe {
namespace {

std::atomic<bool> woken = false;

std::string last_glfw_error() {
  const char* why = nullptr;
  glfwGetError(&why);
  return why == nullptr ? "no reason was given" : why;
}

}  // namespace

Window::Window(const WindowOptions& options) {
  if (glfwInit() != GLFW_TRUE) throw NoDisplay("no display can be reached: " + last_glfw_error());
  glfwWindowHint(GLFW_CONTEXT_VERSION_MAJOR, 3);
  glfwWindowHint(GLFW_CONTEXT_VERSION_MINOR, 3);
  glfwWindowHint(GLFW_OPENGL_PROFILE, GLFW_OPENGL_CORE_PROFILE);
  glfwWindowHint(GLFW_SCALE_TO_MONITOR, GLFW_TRUE);
  window_ = glfwCreateWindow(options.width, options.height, options.title.c_str(), nullptr, nullptr);
  if (window_ == nullptr) {
    const std::string why = last_glfw_error();
    glfwTerminate();
    throw Error(text("no window can be opened: ", why, "; OpenGL 3.3 is needed (Mesa's llvmpipe will do)"));
  }
  glfwMakeContextCurrent(window_);
  glfwSwapInterval(1);
  listen();

  ImGui::CreateContext();
  ImPlot::CreateContext();
  ImGuiIO& io = ImGui::GetIO();
  io.ConfigFlags |= ImGuiConfigFlags_DockingEnable | ImGuiConfigFlags_NavEnableKeyboard;
  io.IniFilename = nullptr;  // the studio saves the layout itself, atomically
  ImGui_ImplGlfw_InitForOpenGL(window_, /*install_callbacks=*/true);
  ImGui_ImplOpenGL3_Init("#version 330 core");
}

Window::~Window() {
  ImGui_ImplOpenGL3_Shutdown();
  ImGui_ImplGlfw_Shutdown();
  ImPlot::DestroyContext();
  ImGui::DestroyContext();
  glfwDestroyWindow(window_);
  glfwTerminate();
}

/// Notes that there was input. Dear ImGui chains to callbacks that are set before its own.
void Window::listen() {
  glfwSetWindowUserPointer(window_, this);
  const auto self = [](GLFWwindow* window) { return static_cast<Window*>(glfwGetWindowUserPointer(window)); };
  static const auto note = self;
  glfwSetKeyCallback(window_, [](GLFWwindow* w, int, int, int, int) { note(w)->input_ = true; });
  glfwSetCharCallback(window_, [](GLFWwindow* w, unsigned int) { note(w)->input_ = true; });
  glfwSetMouseButtonCallback(window_, [](GLFWwindow* w, int, int, int) { note(w)->input_ = true; });
  glfwSetCursorPosCallback(window_, [](GLFWwindow* w, double, double) { note(w)->input_ = true; });
  glfwSetScrollCallback(window_, [](GLFWwindow* w, double, double) { note(w)->input_ = true; });
  glfwSetWindowFocusCallback(window_, [](GLFWwindow* w, int) { note(w)->input_ = true; });
  glfwSetFramebufferSizeCallback(window_, [](GLFWwindow* w, int, int) { note(w)->input_ = true; });
  glfwSetWindowRefreshCallback(window_, [](GLFWwindow* w) { note(w)->input_ = true; });
  glfwSetWindowCloseCallback(window_, [](GLFWwindow* w) { note(w)->input_ = true; });
  glfwSetDropCallback(window_, [](GLFWwindow* w, int count, const char** paths) {
    note(w)->input_ = true;
    note(w)->dropped_.insert(note(w)->dropped_.end(), paths, paths + count);
  });
}

bool Window::wait(double seconds) {
  if (!woken.load()) glfwWaitEventsTimeout(seconds);
  glfwPollEvents();
  const bool was_woken = woken.exchange(false);
  return std::exchange(input_, false) || was_woken;
}

void Window::begin_frame() {
  ImGui_ImplOpenGL3_NewFrame();
  ImGui_ImplGlfw_NewFrame();
  ImGui::NewFrame();
}

void Window::render() {
  ImGui::Render();
  int width = 0;
  int height = 0;
  glfwGetFramebufferSize(window_, &width, &height);
  glViewport(0, 0, width, height);
  glClearColor(0.0F, 0.0F, 0.0F, 1.0F);
  glClear(GL_COLOR_BUFFER_BIT);
  ImGui_ImplOpenGL3_RenderDrawData(ImGui::GetDrawData());
}

void Window::present() { glfwSwapBuffers(window_); }

bool Window::close_requested() const { return glfwWindowShouldClose(window_) == GLFW_TRUE; }
void Window::refuse_close() { glfwSetWindowShouldClose(window_, GLFW_FALSE); }

std::vector<std::string> Window::take_dropped_paths() { return std::exchange(dropped_, {}); }

float Window::display_scale() const {
  float x = 1.0F;
  float y = 1.0F;
  glfwGetWindowContentScale(window_, &x, &y);
  return std::max(x, y);
}

PixelRect Window::whole() const {
  int width = 0;
  int height = 0;
  glfwGetFramebufferSize(window_, &width, &height);
  return {0.0F, 0.0F, static_cast<float>(width), static_cast<float>(height)};
}

Picture Window::read_pixels(const PixelRect& rect) const {
  const PixelRect all = whole();
  const int left = static_cast<int>(std::clamp(rect.x, 0.0F, all.width));
  const int top = static_cast<int>(std::clamp(rect.y, 0.0F, all.height));
  const int right = static_cast<int>(std::clamp(rect.x + rect.width, 0.0F, all.width));
  const int bottom = static_cast<int>(std::clamp(rect.y + rect.height, 0.0F, all.height));
  Picture picture{.width = right - left, .height = bottom - top, .rgba = {}};
  const auto row_bytes = static_cast<std::size_t>(picture.width) * 4;
  picture.rgba.resize(row_bytes * static_cast<std::size_t>(picture.height));
  glReadBuffer(GL_BACK);
  glPixelStorei(GL_PACK_ALIGNMENT, 1);
  for (int row = 0; row < picture.height; ++row) {  // OpenGL's rows run upwards
    glReadPixels(left, static_cast<int>(all.height) - 1 - (top + row), picture.width, 1, GL_RGBA, GL_UNSIGNED_BYTE,
                 picture.rgba.data() + row_bytes * static_cast<std::size_t>(row));
  }
  return picture;
}

void Window::copy_text(const std::string& text) { glfwSetClipboardString(window_, text.c_str()); }

void Window::wake() {
  woken = true;
  glfwPostEmptyEvent();
}

}  // namespace lathe
