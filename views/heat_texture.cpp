#include "views/heat_texture.h"

#include <imgui_internal.h>

#include <algorithm>
#include <utility>

namespace lathe {
namespace {

/// ImGui keeps pointers to registered textures in two lists.
void forget(ImTextureData* texture) {
  ImGui::UnregisterUserTexture(texture);
  ImGui::GetPlatformIO().Textures.find_erase(texture);
}

}  // namespace

HeatTexture::HeatTexture(HeatTexture&& other) noexcept
    : texture_(std::move(other.texture_)),
      retired_(std::move(other.retired_)),
      width_(std::exchange(other.width_, 0)),
      height_(std::exchange(other.height_, 0)) {}

HeatTexture::~HeatTexture() {
  if (ImGui::GetCurrentContext() == nullptr) return;
  if (texture_) forget(texture_.get());
  for (const auto& texture : retired_) forget(texture.get());
}

void HeatTexture::grow(int width, int height) {
  if (texture_) {
    texture_->WantDestroyNextFrame = true;
    texture_->SetStatus(ImTextureStatus_WantDestroy);
    width = std::max(width, texture_->Width);
    height = std::max(height, texture_->Height);
    retired_.push_back(std::move(texture_));
  }
  texture_ = std::make_unique<ImTextureData>();
  texture_->Create(ImTextureFormat_RGBA32, width, height);
  texture_->UseColors = true;
  ImGui::RegisterUserTexture(texture_.get());
}

ImU32* HeatTexture::pixels(int width, int height) {
  std::erase_if(retired_, [](const std::unique_ptr<ImTextureData>& texture) {
    if (texture->Status != ImTextureStatus_Destroyed) return false;
    forget(texture.get());
    return true;
  });
  if (!texture_ || texture_->Width < width || texture_->Height < height) grow(width, height);
  width_ = width;
  height_ = height;
  return static_cast<ImU32*>(texture_->GetPixels());
}

int HeatTexture::pitch() const { return texture_->Width; }

void HeatTexture::commit() { ImTextureDataQueueUpload(texture_.get(), 0, 0, width_, height_); }

void HeatTexture::draw(ImDrawList* list, ImVec2 low, ImVec2 high, int first, int last) const {
  if (empty()) return;
  if (last < 0) last = width_;
  const float wide = static_cast<float>(texture_->Width);
  const float tall = static_cast<float>(texture_->Height);
  const ImVec2 uv_low = {static_cast<float>(first) / wide, 0};
  const ImVec2 uv_high = {static_cast<float>(last) / wide, static_cast<float>(height_) / tall};
  const ImGuiPlatformIO& platform = ImGui::GetPlatformIO();
  const bool sharp = platform.DrawCallback_SetSamplerNearest != nullptr;
  if (sharp) list->AddCallback(platform.DrawCallback_SetSamplerNearest, nullptr);
  list->AddImage(texture_->GetTexRef(), low, high, uv_low, uv_high);
  if (sharp) list->AddCallback(platform.DrawCallback_SetSamplerLinear, nullptr);
}

}  // namespace lathe
