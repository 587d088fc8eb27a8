#pragma once

#include <imgui.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "views/color_map.h"

namespace lathe {

/// A picture of numbers, coloured once when they change and drawn as one quad with sharp cells. Needs a renderer with
/// ImGuiBackendFlags_RendererHasTextures; lives as long as its ImGui context or shorter.
class HeatTexture {
 public:
  HeatTexture() = default;
  ~HeatTexture();
  HeatTexture(HeatTexture&& other) noexcept;
  HeatTexture& operator=(HeatTexture&&) = delete;

  /// RGBA pixels of a picture of `width` x `height`, row-major, to be filled; commit() sends them.
  ImU32* pixels(int width, int height);
  /// From one row to the next of pixels().
  int pitch() const;
  void commit();

  int width() const { return width_; }
  int height() const { return height_; }
  bool empty() const { return width_ == 0; }

  /// Draws columns [first, last) of the picture into the rectangle.
  void draw(ImDrawList* list, ImVec2 low, ImVec2 high, int first = 0, int last = -1) const;

 private:
  void grow(int width, int height);

  std::unique_ptr<ImTextureData> texture_;
  std::vector<std::unique_ptr<ImTextureData>> retired_;  ///< until the renderer let go of them
  int width_ = 0, height_ = 0;
};

}  // namespace lathe
