#include "app/offscreen.h"

#define GL_GLEXT_PROTOTYPES
#include <EGL/egl.h>
#include <EGL/eglext.h>
#include <GL/gl.h>
#include <GL/glext.h>
#include <imgui.h>
#include <imgui_impl_opengl3.h>
#include <implot.h>

#include <algorithm>
#include <cstring>

#include "model/data/error.h"
#include "views/theme.h"

namespace lathe {

Offscreen::Offscreen(int width, int height) : width_(width), height_(height) {
  make_context();
  make_framebuffer();
  ImGui::CreateContext();
  ImPlot::CreateContext();
  ImGuiIO& io = ImGui::GetIO();
  io.IniFilename = nullptr;
  io.ConfigFlags |= ImGuiConfigFlags_DockingEnable | ImGuiConfigFlags_NavEnableKeyboard;
  ImGui_ImplOpenGL3_Init("#version 330 core");
}

Offscreen::~Offscreen() {
  ImGui_ImplOpenGL3_Shutdown();
  ImPlot::DestroyContext();
  ImGui::DestroyContext();
  glDeleteFramebuffers(1, &framebuffer_);
  glDeleteTextures(1, &texture_);
  eglMakeCurrent(display_, EGL_NO_SURFACE, EGL_NO_SURFACE, EGL_NO_CONTEXT);
  eglDestroyContext(display_, context_);
  eglTerminate(display_);
}

void Offscreen::make_context() {
  const auto get_display =
      reinterpret_cast<PFNEGLGETPLATFORMDISPLAYEXTPROC>(eglGetProcAddress("eglGetPlatformDisplayEXT"));
  check(get_display != nullptr, "EGL cannot draw without a display; install Mesa (libegl-mesa0)");
  display_ = get_display(EGL_PLATFORM_SURFACELESS_MESA, EGL_DEFAULT_DISPLAY, nullptr);
  check(eglInitialize(display_, nullptr, nullptr) == EGL_TRUE,
        "EGL has no surfaceless display; install Mesa (libegl-mesa0, libgl1-mesa-dri)");
  eglBindAPI(EGL_OPENGL_API);
  const EGLint wanted[] = {EGL_RENDERABLE_TYPE, EGL_OPENGL_BIT, EGL_SURFACE_TYPE, EGL_PBUFFER_BIT, EGL_NONE};
  EGLConfig config = nullptr;
  EGLint configs = 0;
  eglChooseConfig(display_, wanted, &config, 1, &configs);
  const EGLint version[] = {
      EGL_CONTEXT_MAJOR_VERSION,           3,       EGL_CONTEXT_MINOR_VERSION, 3, EGL_CONTEXT_OPENGL_PROFILE_MASK,
      EGL_CONTEXT_OPENGL_CORE_PROFILE_BIT, EGL_NONE};
  context_ = eglCreateContext(display_, configs > 0 ? config : EGL_NO_CONFIG_KHR, EGL_NO_CONTEXT, version);
  check(context_ != EGL_NO_CONTEXT, "EGL gives no OpenGL 3.3 context; install Mesa (libgl1-mesa-dri)");
  eglMakeCurrent(display_, EGL_NO_SURFACE, EGL_NO_SURFACE, context_);
}

void Offscreen::make_framebuffer() {
  glGenTextures(1, &texture_);
  glBindTexture(GL_TEXTURE_2D, texture_);
  glTexImage2D(GL_TEXTURE_2D, 0, GL_RGBA8, width_, height_, 0, GL_RGBA, GL_UNSIGNED_BYTE, nullptr);
  glGenFramebuffers(1, &framebuffer_);
  glBindFramebuffer(GL_FRAMEBUFFER, framebuffer_);
  glFramebufferTexture2D(GL_FRAMEBUFFER, GL_COLOR_ATTACHMENT0, GL_TEXTURE_2D, texture_, 0);
  check(glCheckFramebufferStatus(GL_FRAMEBUFFER) == GL_FRAMEBUFFER_COMPLETE, "OpenGL cannot draw into a picture of ",
        width_, " x ", height_, " pixels");
}

void Offscreen::begin_frame() {
  ImGuiIO& io = ImGui::GetIO();
  io.DisplaySize = {static_cast<float>(width_), static_cast<float>(height_)};
  io.DeltaTime = 1.0F / 60.0F;
  ImGui_ImplOpenGL3_NewFrame();
  ImGui::NewFrame();
}

void Offscreen::render() {
  ImGui::Render();
  glBindFramebuffer(GL_FRAMEBUFFER, framebuffer_);
  glViewport(0, 0, width_, height_);
  const ImVec4& clear = colors().background;
  glClearColor(clear.x, clear.y, clear.z, 1.0F);
  glClear(GL_COLOR_BUFFER_BIT);
  ImGui_ImplOpenGL3_RenderDrawData(ImGui::GetDrawData());
}

Picture Offscreen::read_pixels(const PixelRect& rect) const {
  const int left = std::clamp(static_cast<int>(rect.x), 0, width_);
  const int top = std::clamp(static_cast<int>(rect.y), 0, height_);
  const int right = std::clamp(static_cast<int>(rect.x + rect.width + 0.5F), left, width_);
  const int bottom = std::clamp(static_cast<int>(rect.y + rect.height + 0.5F), top, height_);
  Picture picture{.width = right - left, .height = bottom - top, .rgba = {}};
  const std::size_t row = static_cast<std::size_t>(picture.width) * 4;
  std::vector<std::uint8_t> flipped(row * static_cast<std::size_t>(picture.height));
  glBindFramebuffer(GL_FRAMEBUFFER, framebuffer_);
  glPixelStorei(GL_PACK_ALIGNMENT, 1);
  // OpenGL counts rows from the bottom.
  glReadPixels(left, height_ - bottom, picture.width, picture.height, GL_RGBA, GL_UNSIGNED_BYTE, flipped.data());
  for (int y = picture.height - 1; y >= 0; --y) {
    const auto at = flipped.begin() + static_cast<std::ptrdiff_t>(row) * y;
    picture.rgba.insert(picture.rgba.end(), at, at + static_cast<std::ptrdiff_t>(row));
  }
  return picture;
}

Picture Offscreen::read_all() const {
  return read_pixels({0, 0, static_cast<float>(width_), static_cast<float>(height_)});
}

}  // namespace lathe
