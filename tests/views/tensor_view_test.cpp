#include "views/tensor_view.h"

#include "tests/support/sample_session.h"
#include "tests/support/ui_test.h"
#include "views/data_files.h"

namespace lathe {
namespace {

TensorPicture picture_of(std::int64_t rows, std::int64_t columns) {
  TensorPicture picture;
  picture.name = "model.layers.1.mlp.up_proj.weight";
  picture.shape = {rows, columns};
  picture.dtype = "f32";
  picture.rows = rows;
  picture.columns = columns;
  picture.region = {0, rows, 0, columns};
  picture.tall = 2;
  picture.wide = 2;
  picture.low = {-1, 0, 0, 0};
  picture.mean = {0.5F, 0, 0, 0.25F};
  picture.high = {1, 0, 0, 1};
  picture.figures = {.min = -1, .max = 1, .mean = 0, .stddev = 0.5, .histogram = {1, 5, 2}};
  picture.version = 1;
  return picture;
}

TEST(MatrixWindows, ZoomAroundThePointUnderTheMouse) {
  const TensorPicture of = picture_of(1000, 400);
  const MatrixWindow whole{0, 1000, 0, 400};
  const MatrixWindow half = zoomed(whole, 0.5, 0.25, 0.75, of);
  EXPECT_EQ(half, (MatrixWindow{375, 500, 50, 200}));
  // The point that was under the mouse is still there.
  EXPECT_EQ(half.first_row + 0.75 * half.rows, 750);
  EXPECT_EQ(half.first_column + 0.25 * half.columns, 100);
}

TEST(MatrixWindows, StayInsideTheTensorAndDoNotZoomCloserThanFourValues) {
  const TensorPicture of = picture_of(1000, 2);
  const MatrixWindow whole{0, 1000, 0, 2};
  EXPECT_EQ(zoomed(whole, 10, 0.5, 0.5, of), whole);
  const MatrixWindow closest = zoomed(whole, 1e-9, 1, 1, of);
  EXPECT_EQ(closest.rows, 4);
  EXPECT_EQ(closest.columns, 2);
  EXPECT_EQ(closest.first_row, 996);
  EXPECT_EQ(moved({500, 100, 0, 2}, 0, 100, of).first_row, 0);
  EXPECT_EQ(moved({500, 100, 0, 2}, 0, -100, of).first_row, 900);
}

TEST(MatrixWindows, AskForWholeRowsAndColumns) {
  EXPECT_EQ((MatrixWindow{1.5, 2.2, 0.2, 0.5}.region(picture_of(10, 10))), (TensorRegion{1, 3, 0, 1}));
  EXPECT_EQ((MatrixWindow{8.5, 1.5, 0, 10}.region(picture_of(10, 10))), (TensorRegion{8, 2, 0, 10}));
}

TEST(TensorNames, AreCutInTheMiddle) {
  EXPECT_EQ(middle_cut("abcdefghij", 10), "abcdefghij");
  EXPECT_EQ(middle_cut("abcdefghij", 7), "abc\u2026hij");
  EXPECT_EQ(middle_cut("abcdefghij", 4), "a\u2026ij");
}

TEST(TensorSearch, FindsAllWordsInNameTypeFileAndState) {
  const TensorInfo tensor{.name = "model.layers.3.self_attn.q_proj.weight",
                          .shape = {2, 3},
                          .dtype = "BF16",
                          .file = "model-00002-of-00004.safetensors",
                          .state = TensorState::WrongShape};
  for (const char* search : {"", "q_proj", "LAYERS.3 bf16", "00002", "wrong"}) EXPECT_TRUE(matches(tensor, search));
  EXPECT_FALSE(matches(tensor, "q_proj f32"));
}

TEST(TensorFiles, HoldACellARow) {
  TensorPicture picture = picture_of(4, 3);
  EXPECT_EQ(tensor_csv(picture),
            "first_row,rows,first_column,columns,min,mean,max\n"
            "0,2,0,2,-1,0.5,1\n0,2,2,1,0,0,0\n2,2,0,2,0,0,0\n2,2,2,1,0,0.25,1\n");
  EXPECT_NE(tensor_json(picture).find("\"std\": 0.5"), std::string::npos);
}

class TheTensors : public ShellTest {
 protected:
  void SetUp() override {
    ShellTest::SetUp();
    session_ = opened_session();
    auto tensors = std::make_shared<std::vector<TensorInfo>>();
    for (int layer = 0; layer < 30; ++layer) {
      tensors->push_back({.name = "model.layers." + std::to_string(layer) + ".mlp.up_proj.weight",
                          .shape = {1536, 576},
                          .dtype = "f32",
                          .bytes = 3'538'944});
    }
    session_.model->tensors = session_.model->original_tensors = tensors;
    ui_.settings.workspace = Workspace::Inspect;
    ui_.settings.tour_seen = true;
    frames(3);
    ui_.focus_view = "tensor";
    frames(3);
  }

  /// The watches of the newest SetWatches that look at a tensor.
  std::vector<Watch> watched() const {
    std::vector<Watch> found;
    const std::vector<SetWatches> all = posted<SetWatches>();
    if (all.empty()) return found;
    for (const Watch& watch : all.back().watches)
      if (watch.kind == PictureKind::Tensor) found.push_back(watch);
    return found;
  }
};

TEST_F(TheTensors, OnlyTheChosenOneIsAskedFor) {
  EXPECT_TRUE(watched().empty());
  act([](ImGuiTestContext* user) { user->ItemClick("**/##model.layers.1.mlp.up_proj.weight"); });
  frames(2);
  ASSERT_EQ(watched().size(), 1U);
  EXPECT_EQ(watched()[0].tensor, "model.layers.1.mlp.up_proj.weight");
  EXPECT_EQ(watched()[0].region, TensorRegion());
}

TEST_F(TheTensors, TheWheelAsksForAPartOfIt) {
  ui_.tensor.name = "model.layers.1.mlp.up_proj.weight";
  session_.tensor = std::make_shared<const TensorPicture>(picture_of(1536, 576));
  frames(3);
  act([](ImGuiTestContext* user) {
    user->MouseMove("**/map");
    user->MouseWheelY(4);
    user->SleepNoSkip(0.5F, 1.0F / 60.0F);
  });
  ASSERT_EQ(watched().size(), 1U);
  EXPECT_GT(watched()[0].region.rows, 0);
  EXPECT_LT(watched()[0].region.rows, 1536);
  EXPECT_LT(watched()[0].region.columns, 576);
}

}  // namespace
}  // namespace lathe
