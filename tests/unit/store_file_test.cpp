// Bad stores made by hand, one for each way to be wrong that FORMAT.md lists. Checksums are right
// wherever the point is to get past them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <bit>
#include <cstring>
#include <filesystem>
#include <functional>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "model_store/format/fused_store.h"
#include "tests/unit/store_parts.h"
#include "tests/unit/tiny_network.h"

namespace bitplex {
namespace {

using absl::StatusCode;
using format::Header;
using format::Kind;
using format::Record;
using test::EditHeader;
using test::Parts;
using testing::AllOf;
using testing::HasSubstr;
using Bytes = std::vector<uint8_t>;

constexpr uint32_t kAll = format::kAllTasks;
constexpr uint64_t kHuge = std::numeric_limits<uint64_t>::max();

// Tasks "first" (5 bits, an exponent for each channel) and "second" (4 bits), 3 and 2 classes.
const Bytes& GoodStore() {
  static const Bytes bytes = test::StoreBytes(
      test::TinyArch(),
      {test::RandomTask(test::TinyArch(), {.name = "first", .bits = 5, .channel_exponents = true}),
       test::RandomTask(test::TinyArch(), {.name = "second", .bits = 4, .classes = 2, .seed = 2})});
  return bytes;
}

struct BadStore {
  const char* name;
  StatusCode code;
  const char* message;  // A part of it.
  std::function<Bytes()> make;
};

// The good store with its bytes changed.
std::function<Bytes()> Raw(const std::function<void(Bytes&)>& edit) {
  return [edit] {
    Bytes file = GoodStore();
    edit(file);
    return file;
  };
}

std::function<Bytes()> InHeader(const std::function<void(Header&)>& edit) {
  return Raw([edit](Bytes& file) { EditHeader(file, edit); });
}

// The good store with a part changed before it is put together again.
std::function<Bytes()> InParts(const std::function<void(Parts&)>& edit) {
  return [edit] {
    Parts parts(GoodStore());
    edit(parts);
    return parts.File();
  };
}

std::function<Bytes()> InPlacedRecords(const std::function<void(std::vector<Record>&)>& edit) {
  return [edit] { return Parts(GoodStore()).File(edit); };
}

std::function<Bytes()> InMetadata(const std::string& from, const std::string& to) {
  return InParts([from, to](Parts& parts) {
    const std::string changed = absl::StrReplaceAll(parts.metadata, {{from, to}});
    EXPECT_NE(changed, parts.metadata) << "nothing to replace: " << from;
    parts.metadata = changed;
  });
}

std::function<Bytes()> MetadataIs(const std::string& text) {
  return InParts([text](Parts& parts) { parts.metadata = text; });
}

template <typename T>
std::function<Bytes()> FirstValueIs(Kind kind, uint32_t task, const char* name, T value) {
  return InParts([=](Parts& parts) {
    std::memcpy(parts.Section(kind, task, name).data(), &value, sizeof(value));
  });
}

std::function<Bytes()> Without(Kind kind, uint32_t task, const char* name) {
  return InParts([=](Parts& parts) {
    const auto index = static_cast<std::ptrdiff_t>(parts.Index(kind, task, name));
    parts.records.erase(parts.records.begin() + index);
    parts.sections.erase(parts.sections.begin() + index);
  });
}

std::function<Bytes()> WithOneMore(const std::function<void(Record&)>& edit) {
  return InParts([edit](Parts& parts) {
    parts.records.push_back(parts.records.back());
    parts.sections.push_back(parts.sections.back());
    edit(parts.records.back());
  });
}

class StoreFileTest : public testing::TestWithParam<BadStore> {};

TEST_P(StoreFileTest, IsRefused) {
  const std::string path = test::TempPath("bad.bpx");
  test::WriteBytes(path, GetParam().make());
  const absl::Status status = FusedStore::Open(path).status();
  std::filesystem::remove(path);
  EXPECT_EQ(status.code(), GetParam().code) << status;
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr(path), HasSubstr(GetParam().message)));
}

constexpr StatusCode kDamaged = StatusCode::kDataLoss;
constexpr char kConv[] = "layer2.0.conv1.weight";  // Words of 9 bits, shape (16, 3, 3, 8).

std::string TestName(const testing::TestParamInfo<BadStore>& suite) { return suite.param.name; }

const BadStore kBadHeaders[] = {
    {"Empty", StatusCode::kInvalidArgument, "the file is empty", [] { return Bytes(); }},
    {"BadMagic", kDamaged, "not a Bitplex store", Raw([](Bytes& file) { file[0] = 'B'; })},
    {"SentAsText", kDamaged, "not a Bitplex store",
     Raw([](Bytes& file) { file.erase(file.begin() + 4); })},
    {"ShorterThanMagic", kDamaged, "not a Bitplex store", Raw([](Bytes& file) { file.resize(7); })},
    {"ShorterThanHeader", kDamaged, "127 bytes, less than a header",
     Raw([](Bytes& file) { file.resize(127); })},
    {"OnlyAHeader", kDamaged, "truncated", Raw([](Bytes& file) { file.resize(128); })},
    {"FutureVersion", StatusCode::kUnimplemented, "format version 2, this build reads 1",
     Raw([](Bytes& file) { file[8] = 2; })},  // Told before the checksum is believed.
    {"VersionZero", kDamaged, "version 0", InHeader([](Header& h) { h.version = 0; })},
    {"HeaderChecksum", kDamaged, "checksum of the header", Raw([](Bytes& file) { file[50] ^= 1; })},
    {"HeaderBytes", kDamaged, "256 bytes", InHeader([](Header& h) { h.header_bytes = 256; })},
    {"FileBytesTooLong", kDamaged, "truncated", InHeader([](Header& h) { ++h.file_bytes; })},
    {"FileBytesTooShort", kDamaged, "extended", InHeader([](Header& h) { --h.file_bytes; })},
    {"Truncated", kDamaged, "truncated", Raw([](Bytes& file) { file.pop_back(); })},
    {"Extended", kDamaged, "extended", Raw([](Bytes& file) { file.push_back(0); })},
    {"ReservedNotZero", kDamaged, "reserved bytes of the header",
     InHeader([](Header& h) { h.reserved[47] = 1; })},
    {"MetadataOffset", kDamaged, "the metadata should begin at byte 128, not 192",
     InHeader([](Header& h) { h.metadata_offset = 192; })},
    {"MetadataTooLong", kDamaged, "beyond the limits: 67108865 metadata bytes",
     InHeader([](Header& h) { h.metadata_bytes = (64u << 20) + 1; })},
    {"MetadataBytesOverflow", kDamaged, "beyond the limits",
     InHeader([](Header& h) { h.metadata_bytes = kHuge; })},
    {"MetadataPastEnd", kDamaged, "the metadata (67108864 bytes from byte 128) reaches past",
     InHeader([](Header& h) { h.metadata_bytes = 64u << 20; })},
    {"MetadataChecksum", kDamaged, "checksum of the metadata",
     Raw([](Bytes& file) { file[130] ^= 1; })},
    {"RecordsOffset", kDamaged, "the records should begin at",
     InHeader([](Header& h) { h.records_offset += 64; })},
    {"RecordsOffsetHuge", kDamaged, "the records should begin at",
     InHeader([](Header& h) { h.records_offset = kHuge - 63; })},
    {"RecordCountHuge", kDamaged, "beyond the limits",
     InHeader([](Header& h) { h.record_count = 0xFFFFFFFF; })},
    {"RecordsPastEnd", kDamaged, "the records (134217728 bytes",
     InHeader([](Header& h) { h.record_count = 1u << 20; })},
    {"RecordsChecksum", kDamaged, "checksum of the records",
     InHeader([](Header& h) { h.records_checksum ^= 1; })},
    {"OneRecordLess", kDamaged, "checksum of the records",
     InHeader([](Header& h) { --h.record_count; })},
    {"NoRecord", kDamaged, "missing", InParts([](Parts& parts) {
       parts.records.clear();
       parts.sections.clear();
     })},
    {"NoTask", kDamaged, "0 tasks", InHeader([](Header& h) { h.task_count = 0; })},
    {"TooManyTasks", kDamaged, "65 tasks", InHeader([](Header& h) { h.task_count = 65; })},
    {"TaskCountMismatch", kDamaged, "the header counts 3 tasks, the metadata 2",
     InHeader([](Header& h) { h.task_count = 3; })},
};
INSTANTIATE_TEST_SUITE_P(Header, StoreFileTest, testing::ValuesIn(kBadHeaders), TestName);

const BadStore kBadMetadata[] = {
    {"NotJson", kDamaged, "metadata: it is no JSON object", MetadataIs("{\"architecture\":")},
    {"EmptyText", kDamaged, "it is no JSON object", MetadataIs("")},
    {"AnArray", kDamaged, "it is no JSON object", MetadataIs("[]")},
    {"DeepNesting", kDamaged, "it is no JSON object", MetadataIs(std::string(100'000, '['))},
    {"DeepNestingThatEnds", kDamaged, "it is no JSON object",
     MetadataIs(std::string(100'000, '[') + std::string(100'000, ']'))},
    {"UnknownArchitecture", StatusCode::kUnimplemented, "'resnet99'",
     InMetadata("resnet10-tiny", "resnet99")},
    {"AnotherArchitecture", kDamaged, "words, conv1.weight: shape (8, 3, 3, 3)",
     InMetadata("resnet10-tiny", "resnet18-cifar")},
    {"NoTasks", kDamaged, "there are no tasks", InMetadata("\"tasks\"", "\"Tasks\"")},
    {"OneNameTwice", kDamaged, "two tasks are named 'second'", InMetadata("first", "second")},
    {"NameWithASpace", kDamaged, "a task's name has 1 to 64 letters",
     InMetadata("\"first\"", "\"fi rst\"")},
    {"NameTooLong", kDamaged, "a task's name has 1 to 64 letters",
     InMetadata("first", std::string(65, 'x'))},
    {"OneLabelMore", kDamaged, "values of task 1, fc.weight: shape (2, 64)",
     InMetadata("\"labels\":[\"label 0\",\"label 1\"]", "\"labels\":[\"a\",\"b\",\"c\"]")},
    {"TooFewActivationScales", kDamaged, "'first' has 2 activation scales; resnet10-tiny has 13",
     InMetadata("\"bits\":5,", "\"bits\":5,\"activation_scales\":[0.5,0.5],\"calibration\":{},")},
    {"ActivationScaleZero", kDamaged, "activation scales must be above zero",
     InMetadata("\"bits\":5,", "\"bits\":5,\"activation_scales\":[0],\"calibration\":{},")},
    {"NoLabels", kDamaged, "there are no labels", InMetadata("[\"label 0\",\"label 1\"]", "[]")},
    {"LabelIsNotUtf8", kDamaged, "it is no JSON object", InMetadata("label 2", "label \xFF")},
    {"LabelIsALoneSurrogate", kDamaged, "it is no JSON object", InMetadata("label 2", "\\ud800")},
    {"StdZero", kDamaged, "std must be above zero", InMetadata("\"std\":[0.25,", "\"std\":[0,")},
    {"MeanOfTwoChannels", kDamaged, "no usable 'mean'",
     InMetadata("\"mean\":[0.5,0.25,0.125]", "\"mean\":[0.5,0.25]")},
    {"MeanBeyondFloat", kDamaged, "mean is not finite",
     InMetadata("\"mean\":[0.5,", "\"mean\":[1e300,")},
    {"BitsZero", kDamaged, "bits=0 is out of range", InMetadata("\"bits\":5", "\"bits\":0")},
    {"Bits25", kDamaged, "no usable 'bits'", InMetadata("\"bits\":5", "\"bits\":25")},
    {"ExponentsForChannelsClaimed", kDamaged, "exponents of task 1, conv1.weight: shape (1)",
     InMetadata("\"exponents\":\"tensor\"", "\"exponents\":\"channel\"")},
    {"ExponentsOfAnotherKind", kDamaged, "no usable 'exponents'",
     InMetadata("\"exponents\":\"tensor\"", "\"exponents\":\"row\"")},
};
INSTANTIATE_TEST_SUITE_P(Metadata, StoreFileTest, testing::ValuesIn(kBadMetadata), TestName);

// Record 1 is the signs of task 0 of the stem.
const BadStore kBadRecords[] = {
    {"NameEmpty", kDamaged, "record 1: the name is empty or does not end",
     InParts([](Parts& parts) { parts.records[1].name[0] = 0; })},
    {"NameUnterminated", kDamaged, "record 1: the name is empty or does not end",
     InParts([](Parts& parts) { std::memset(parts.records[1].name, 'x', 48); })},
    {"KindZero", kDamaged, "record 1: the kind is unknown",
     InParts([](Parts& parts) { parts.records[1].kind = Kind{0}; })},
    {"UnknownKind", kDamaged, "record 1: the kind is unknown",
     InParts([](Parts& parts) { parts.records[1].kind = Kind{5}; })},
    {"TaskOutOfRange", kDamaged, "record 1: there is no such task",
     InParts([](Parts& parts) { parts.records[1].task = 2; })},
    {"SignsOfAllTasks", kDamaged, "record 1: there is no such task",
     InParts([](Parts& parts) { parts.records[1].task = kAll; })},
    {"WordsOfOneTask", kDamaged, "record 0: there is no such task",
     InParts([](Parts& parts) { parts.records[0].task = 0; })},
    {"RankZero", kDamaged, "record 1: the rank is not 1 to 4",
     InParts([](Parts& parts) { parts.records[1].rank = 0; })},
    {"RankFive", kDamaged, "record 1: the rank is not 1 to 4",
     InParts([](Parts& parts) { parts.records[1].rank = 5; })},
    {"ReservedNotZero", kDamaged, "record 1: reserved bytes are not zero",
     InParts([](Parts& parts) { parts.records[1].reserved[15] = 1; })},
    {"OffsetPastEnd", kDamaged, "signs of task 0, conv1.weight should begin at",
     InPlacedRecords([](auto& records) { records[1].offset = 1u << 30; })},
    {"OffsetNotAligned", kDamaged, "should begin at",
     InPlacedRecords([](auto& records) { ++records[1].offset; })},
    {"BytesPastEnd", kDamaged, "reaches past the end",
     InPlacedRecords([](auto& records) { records.back().bytes += 1; })},
    {"OffsetPlusSizeOverflows", kDamaged, "reaches past the end",
     InPlacedRecords([](auto& records) { records[1].bytes = kHuge - records[1].offset + 65; })},
    {"SectionsOverlap", kDamaged, "signs of task 0, conv1.weight should begin at",
     InPlacedRecords([](auto& records) { records[1].offset = records[0].offset; })},
    {"SectionsSwapped", kDamaged, "should begin at",
     InPlacedRecords([](auto& records) { std::swap(records[1], records[2]); })},
    {"SectionChecksum", kDamaged, "checksum of signs of task 0, conv1.weight",
     InPlacedRecords([](auto& records) { records[1].checksum ^= 1; })},
    {"GapNotZero", kDamaged, "between sections, is not zero", Raw([](Bytes& file) {
       const Parts parts(file);  // 27 bytes of signs, then a gap.
       file[parts.records[1].offset + parts.records[1].bytes] = 1;
     })},
    {"TrailingBytes", kDamaged, "goes on after its last section", Raw([](Bytes& file) {
       file.push_back(0);
       EditHeader(file, [](Header& h) { ++h.file_bytes; });
     })},
};
INSTANTIATE_TEST_SUITE_P(Records, StoreFileTest, testing::ValuesIn(kBadRecords), TestName);

const BadStore kBadTensors[] = {
    {"DuplicateRecord", kDamaged, "is there twice", WithOneMore([](Record&) {})},
    {"MissingWords", kDamaged, "words, layer2.0.conv1.weight: missing",
     Without(Kind::kWords, kAll, kConv)},
    {"MissingSigns", kDamaged, "signs of task 1, layer2.0.conv1.weight: missing",
     Without(Kind::kSigns, 1, kConv)},
    {"MissingExponents", kDamaged, "exponents of task 0, layer2.0.conv1.weight: missing",
     Without(Kind::kExponents, 0, kConv)},
    {"MissingValues", kDamaged, "values of task 1, bn1.running_var: missing",
     Without(Kind::kFloat32, 1, "bn1.running_var")},
    {"ExtraTensor", kDamaged, "layer9.weight: the architecture has no such tensor",
     WithOneMore([](Record& record) { std::strcpy(record.name, "layer9.weight"); })},
    {"ExtraWords", kDamaged, "words, fc.weight: the architecture has no such tensor",
     WithOneMore([](Record& record) {
       std::strcpy(record.name, "fc.weight");
       record.kind = Kind::kWords;
       record.task = kAll;
     })},
    {"WrongShape", kDamaged, "shape (16, 3, 8, 3)", InParts([](Parts& parts) {
       Record& record = parts.Find(Kind::kWords, kAll, kConv);
       std::swap(record.dims[2], record.dims[3]);
     })},
    {"WrongRank", kDamaged, "expected (3)",
     InParts([](Parts& parts) { parts.Find(Kind::kFloat32, 0, "fc.bias").rank = 2; })},
    {"WordsTooShort", kDamaged, "1295 bytes, expected (16, 3, 3, 8) and 1296",
     InParts([](Parts& parts) { parts.Section(Kind::kWords, kAll, kConv).pop_back(); })},
    {"SignsTooLong", kDamaged, "145 bytes",
     InParts([](Parts& parts) { parts.Section(Kind::kSigns, 0, kConv).push_back(0); })},
    {"ExponentsTooShort", kDamaged, "exponents of task 0",
     InParts([](Parts& parts) { parts.Section(Kind::kExponents, 0, kConv).resize(2); })},
    {"ValuesEmpty", kDamaged, "and 0 bytes",
     InParts([](Parts& parts) { parts.Section(Kind::kFloat32, 1, "fc.bias").clear(); })},
    {"WordBits65", kDamaged, "65 bits a word; at most 64", InParts([](Parts& parts) {
       parts.Find(Kind::kWords, kAll, kConv).word_bits = 65;
       parts.Section(Kind::kWords, kAll, kConv).resize(1152 * 65 / 8);
     })},
    {"WordBitsHuge", kDamaged, "at most 64",
     InParts([](Parts& parts) { parts.Find(Kind::kWords, kAll, kConv).word_bits = 0xFFFFFFFF; })},
    {"WordBitsZero", kDamaged, "does not lie in words of 0 bits", InParts([](Parts& parts) {
       parts.Find(Kind::kWords, kAll, kConv).word_bits = 0;
       parts.Section(Kind::kWords, kAll, kConv).clear();
     })},
    {"FieldOutsideWord", kDamaged, "5 bits from bit 5 does not lie in words of 9",
     InParts([](Parts& parts) { parts.Find(Kind::kSigns, 0, kConv).field_shift = 5; })},
    {"FieldShiftOverflows", kDamaged, "does not lie in words of 9",
     InParts([](Parts& parts) { parts.Find(Kind::kSigns, 0, kConv).field_shift = 0xFFFFFFFC; })},
    {"FieldBits0", kDamaged, "a field of 0 bits",
     InParts([](Parts& parts) { parts.Find(Kind::kSigns, 0, kConv).field_bits = 0; })},
    {"FieldBits25", kDamaged, "a field of 25 bits", InParts([](Parts& parts) {
       // In a word that is wide enough.
       parts.Find(Kind::kWords, kAll, kConv).word_bits = 64;
       parts.Section(Kind::kWords, kAll, kConv).resize(1152 * 8);
       parts.Find(Kind::kSigns, 0, kConv).field_bits = 25;
     })},
    {"ExponentTooLow", kDamaged, "exponent 0 is -103, not -102 to 128",
     FirstValueIs(Kind::kExponents, 0, kConv, int16_t{-103})},
    {"ExponentTooHigh", kDamaged, "exponent 0 is 129, not -102 to 128",
     FirstValueIs(Kind::kExponents, 1, kConv, int16_t{129})},
    {"Nan", kDamaged, "values of task 0, fc.bias: value 0 is not finite",
     FirstValueIs(Kind::kFloat32, 0, "fc.bias", std::numeric_limits<float>::quiet_NaN())},
    {"Infinity", kDamaged, "values of task 1, bn1.bias: value 0 is not finite",
     FirstValueIs(Kind::kFloat32, 1, "bn1.bias", -std::numeric_limits<float>::infinity())},
};
INSTANTIATE_TEST_SUITE_P(Tensors, StoreFileTest, testing::ValuesIn(kBadTensors), TestName);

class GoodStoreFileTest : public testing::Test {
 protected:
  ~GoodStoreFileTest() override { std::filesystem::remove(path_); }
  absl::StatusOr<std::shared_ptr<const FusedStore>> Open(const Bytes& file) {
    test::WriteBytes(path_, file);
    return FusedStore::Open(path_);
  }
  const std::string path_ = test::TempPath("good.bpx");
};

// Also says that the bad stores above differ from a good one only where they mean to.
TEST_F(GoodStoreFileTest, PutTogetherByHandItIsTheWritersFile) {
  EXPECT_EQ(Parts(GoodStore()).File(), GoodStore());
  const auto store = Open(GoodStore());
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_EQ((*store)->path(), path_);
  EXPECT_EQ(*(*store)->FindTask("second"), 1u);
  EXPECT_EQ((*store)->mapping(), GoodStore());
}

TEST_F(GoodStoreFileTest, UnknownMembersAndDeepOnesAreIgnored) {
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  const auto store = Open(
      InMetadata("{\"architecture\"", absl::StrCat("{\"later\":", deep, ",\"architecture\""))());
  EXPECT_TRUE(store.ok()) << store.status();
}

TEST_F(GoodStoreFileTest, TheIdIsTheHeadersChecksumAndChangesWithTheContent) {
  const auto before = Open(GoodStore());
  ASSERT_TRUE(before.ok()) << before.status();
  EXPECT_EQ((*before)->id(),
            absl::StrCat(absl::Hex(Parts(GoodStore()).header.header_checksum, absl::kZeroPad16)));
  const auto after = Open(FirstValueIs(Kind::kFloat32, 0, "fc.bias", 0.25f)());
  ASSERT_TRUE(after.ok()) << after.status();
  EXPECT_NE((*before)->id(), (*after)->id());
}

TEST_F(GoodStoreFileTest, AnUnknownTaskListsTheKnownOnes) {
  const auto store = Open(GoodStore());
  ASSERT_TRUE(store.ok()) << store.status();
  const absl::Status status = (*store)->FindTask("third").status();
  EXPECT_EQ(status.code(), StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("'third'"), HasSubstr("first, second")));
}

// FORMAT.md's "bytes that are this task's", summed from the records.
TEST_F(GoodStoreFileTest, TaskBytesAreTheTasksShare) {
  const auto store = Open(GoodStore());
  ASSERT_TRUE(store.ok()) << store.status();
  uint64_t expected = 0;
  for (const Record& record : (*store)->records()) {
    if (record.task == 1) expected += record.bytes;
    if (record.kind == Kind::kWords) {
      expected += (record.dims[0] * record.dims[1] * record.dims[2] * record.dims[3] * 4 + 7) / 8;
    }
  }
  EXPECT_EQ((*store)->TaskBytes(1), expected);
  EXPECT_EQ(Float32ModelBytes((*store)->arch(), (*store)->tasks()[1]),
            (*store)->arch().parameter_count(2) * 4);
}

TEST(NoStoreFileTest, AMissingFileIsNamed) {
  const std::string path = test::TempPath("none.bpx");
  const absl::Status status = FusedStore::Open(path).status();
  EXPECT_EQ(status.code(), StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr(path));
}

TEST(NoStoreFileTest, AFolderADeviceAndAPipeAreRefused) {
  const std::string pipe = test::TempPath("pipe.bpx");
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  for (const std::string& path : {std::string("/"), std::string("/dev/zero"), pipe}) {
    const absl::Status status = FusedStore::Open(path).status();
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << path;
    EXPECT_THAT(std::string(status.message()), HasSubstr("not a regular file"));
  }
  std::filesystem::remove(pipe);
}

}  // namespace
}  // namespace bitplex
