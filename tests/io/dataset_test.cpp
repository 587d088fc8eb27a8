#include "model/io/dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/io/hash.h"
#include "tests/io/temp_folder.h"

namespace lathe {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(Dataset, OfPlainTextIsTheText) {
  const TempFolder folder;

  const Dataset dataset = read_dataset(folder.write("a.txt", "one\ntw\xFFo\n"));

  EXPECT_EQ(dataset.text, "one\ntw\uFFFDo\n");
  EXPECT_EQ(dataset.documents, 1);
  EXPECT_EQ(dataset.replaced_bytes, 1);
  EXPECT_EQ(dataset.sha256, sha256_hex("one\ntw\xFFo\n"));
}

TEST(Dataset, OfJsonLinesAreTheirTextsAndMessages) {
  const TempFolder folder;
  const auto path = folder.write("a.jsonl", R"({"id":1,"text":"caf\u00e9"})"
                                            "\r\n\n"
                                            R"({"messages":[{"role":"user","content":"hi"},{"content":"ho"}]})");

  const Dataset dataset = read_dataset(path);

  EXPECT_EQ(dataset.text, "café\n\nhi\n\nho");
  EXPECT_EQ(dataset.documents, 2);
  EXPECT_THAT(dataset.warnings, IsEmpty());
}

TEST(Dataset, SaysWhichLinesItLeavesOut) {
  const TempFolder folder;
  const auto path = folder.write("a.jsonl", "{\"text\":\"a\"}\n{\"text\":2}\n\n{\"text\":\"b\"}\n{\"te");

  const Dataset dataset = read_dataset(path);

  EXPECT_EQ(dataset.text, "a\n\nb");
  EXPECT_THAT(dataset.warnings, ElementsAre(HasSubstr("line 2 is left out: \"text\" is of another kind"),
                                            HasSubstr("line 5 is left out")));
}

TEST(Dataset, OfAFolderGoesByTheNamesOfItsFiles) {
  const TempFolder folder;
  folder.write("b.txt", "second");
  folder.write("a.ndjson", R"({"text":"first"})");
  folder.write("c.bin", "not read");

  const Dataset dataset = read_dataset(folder.path());

  EXPECT_EQ(dataset.text, "first\n\nsecond");
  EXPECT_EQ(dataset.documents, 2);
}

}  // namespace
}  // namespace lathe
