#include "services/common/audit/row.h"

#include <gtest/gtest.h>

#include "services/common/base/encoding.h"

namespace postern::audit {
namespace {

Row Example() {
  Row row;
  row.sequence = 1;
  row.at_us = 1'795'317'898'123'000;
  row.actor = "operator/alice";
  row.action = "client.create";
  row.target = "client/acme";
  row.outcome = 1;
  row.details = R"({"domain":"example.com"})";
  return row;
}

// Computed with other means: python3, struct.pack(">BQQB") and ">I" before each text,
// hashlib.sha256. docs/audit.md shows the program. Whoever changes this breaks every log that
// exists.
TEST(RowTest, TheCanonicalFormNeverChanges) {
  EXPECT_EQ(HexEncode(EncodeRow(Example())),
            "010000000000000001000660d5059396f8010000000e6f70657261746f722f616c6963650000000d"
            "636c69656e742e6372656174650000000b636c69656e742f61636d65000000187b22646f6d61696e"
            "223a226578616d706c652e636f6d227d");
  EXPECT_EQ(HexEncode(HashOfRow(FirstHash(), Example())),
            "d22187be85ad6d0140a06940e6ecba3664428eace686e6f53d7b9605f45b0f95");
}

// Neighbouring texts cannot lend each other characters.
TEST(RowTest, ABorderThatMovesChangesTheHash) {
  Row moved = Example();
  moved.actor = "operator/alic";
  moved.action = "eclient.create";
  EXPECT_NE(HashOfRow(FirstHash(), moved), HashOfRow(FirstHash(), Example()));
}

}  // namespace
}  // namespace postern::audit
